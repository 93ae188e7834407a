#include "bench/table/index_stages.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "assay/attribute/index_build.h"
#include "assay/attribute/logra.h"
#include "assay/attribute/methods_options.h"
#include "assay/nn/gradients.h"
#include "bench/table/counts.h"
#include "bench/table/measure.h"

namespace assay::bench {

nlohmann::json measure_index(const Workload& workload, const Task& task, int64_t rank) {
  const Loaded loaded = load(workload, task.dtype);
  const std::string folder = fmt::format("{}/index.{}.{}.{}", task.folder, workload.name, task.dtype, rank);
  attribute::IndexedDocuments documents;
  documents.dataset = loaded.indexed;
  const attribute::IndexRequest request{.model = loaded.model(),
                                        .documents = documents,
                                        .layers = loaded.layers,
                                        .settings = {.rank_out = rank, .rank_in = rank},
                                        .model_hash = loaded.checkpoint.hash,
                                        .context = workload.context};
  Laps laps;
  for (int run = 0; run < task.runs; ++run) {
    std::filesystem::remove_all(folder);
    laps.time(fmt::format("index, rank {}", rank), [&] { attribute::build_index(folder, request, silent_progress()); });
  }
  Row row = laps.rows().front();
  row.workload = workload.name;
  row.dtype = task.dtype;
  row.tokens = static_cast<double>(loaded.indexed.tokens());
  row.disk_bytes = bytes_on_disk(folder);
  row.counted = Counts(loaded.model().architecture(), loaded.layers, loaded.indexed, task.dtype).index(rank);
  // Scores by its rows alone, of the queries whose order is compared.
  const attribute::GradientIndex index(folder);
  const data::Dataset queries = loaded.queries(workload.compared_queries);
  const attribute::Inputs inputs{.model = loaded.model(),
                                 .train = {loaded.indexed},
                                 .queries = {queries},
                                 .measurement = nn::loss(),
                                 .layers = loaded.layers,
                                 .model_hash = loaded.checkpoint.hash,
                                 .index = &index};
  const auto scorer = attribute::make_logra_scorer(parse_factory("logra", attribute::method_table(), "method"), inputs,
                                                   silent_progress());
  const at::Tensor scores =
      scorer->scan(1, workload.compared_queries, false, {}, silent_progress()).whole.to(at::kFloat).contiguous();
  std::ofstream file(scores_file(task.folder, workload.name, task.dtype, task.what), std::ios::binary);
  file.write(static_cast<const char*>(scores.const_data_ptr()), static_cast<std::streamsize>(scores.nbytes()));
  return {{"rows", nlohmann::json::array({to_json(row)})}};
}

}  // namespace assay::bench
