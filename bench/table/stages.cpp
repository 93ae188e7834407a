#include "bench/table/stages.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "assay/attribute/methods_options.h"
#include "assay/attribute/scorer.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/kernel/ceilings.h"
#include "assay/nn/gradients.h"
#include "bench/table/counts.h"
#include "bench/table/index_stages.h"
#include "bench/table/measure.h"
#include "bench/table/plain_llama.h"
#include "bench/table/small_study.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kMemory = int64_t{4} << 30;
constexpr double kCeilingSeconds = 3;

/// "scores:16:kfac" in its parts.
struct Asked {
  std::string stage, method = "ekfac";
  int64_t number = 0;
  uint64_t seed = 0;

  explicit Asked(const std::string& what) {
    std::vector<std::string> parts{""};
    for (const char c : what) c == ':' ? parts.emplace_back() : parts.back() += c;
    stage = parts[0];
    size_t next = 1;
    if (stage == "scores" || stage == "whole" || stage == "index") number = std::stoll(parts.at(next++));
    if (parts.size() > next) method = parts[next++];
    if (parts.size() > next) seed = std::stoull(parts[next]);
  }
};

void with_weight_gradients(const nn::Model& given, const data::Dataset& documents, bool is_plain) {
  nn::Model model = given.with(given.parameters().clone());
  model.parameters().require_gradients(true);
  for (const auto& rows : attribute::walk_batches(model, documents, kMemory)) {
    const data::Batch batch = data::make_batch(documents, rows);
    const at::Tensor loss =
        is_plain ? plain_loss(model, batch) : nn::loss().evaluate(model.run(batch).output, batch).sum();
    const auto gradients = torch::autograd::grad({loss}, model.parameters().tensors());
    ASSAY_ASSERT(gradients.size() == model.parameters().size());
  }
}

class Stages {
 public:
  Stages(const Workload& workload, const Task& task)
      : workload_(workload),
        task_(task),
        asked_(task.what),
        loaded_(load(workload, task.dtype)),
        counts_(loaded_.model().architecture(), loaded_.layers, loaded_.documents, task.dtype),
        cache_(fmt::format("{}/cache.{}.{}", task.folder, workload.name, task.dtype)) {}

  json run() {
    if (asked_.stage == "bare")
      bare();
    else if (asked_.stage == "fit")
      fit();
    else if (asked_.stage == "scores")
      scores(false);
    else if (asked_.stage == "self")
      scores(true);
    else if (asked_.stage == "whole")
      whole();
    else
      throw Error(ErrorKind::Internal, "benchmarking: there is no stage " + task_.what);
    return {{"rows", rows_}};
  }

  const Loaded& loaded() const { return loaded_; }

 private:
  void bare() {
    std::vector<double> ceilings;
    for (int run = 0; run < task_.runs; ++run) {  // in turns, so that neither has the quieter machine
      laps_.time("bare, the engine's pass", [&] { with_weight_gradients(loaded_.model(), loaded_.documents, false); });
      if (task_.dtype != "fp32") continue;
      ceilings.push_back(kernel::measure_ceilings(kCeilingSeconds).flops_per_second_fp32);
      return_freed_memory();  // or the block that was read would count in the next peak
      if (workload_.has_plain_pass)
        laps_.time("bare, plain operators", [&] { with_weight_gradients(loaded_.model(), loaded_.documents, true); });
    }
    for (Row row : laps_.rows()) {
      if (row.stage.ends_with("engine's pass")) row.ceilings = ceilings;
      add(row, counts_.bare());
    }
  }

  attribute::Inputs inputs(const data::Dataset& queries, const std::string& cache) const {
    return {.model = loaded_.model(),
            .train = {loaded_.documents},
            .queries = {queries},
            .measurement = nn::loss(),
            .layers = loaded_.layers,
            .seed = asked_.seed,
            .memory_bytes = kMemory,
            .model_hash = loaded_.checkpoint.hash,
            .cache_folder = cache};
  }
  FactoryCall method() const { return parse_factory(asked_.method, attribute::method_table(), "method"); }

  void fit() {
    const data::Dataset none = loaded_.queries(1);
    for (int run = 0; run < task_.runs; ++run) {
      if (asked_.seed == 0 && asked_.method == "ekfac") fs::remove_all(cache_);  // variants share what they can
      attribute::make_scorer(method(), inputs(none, cache_), laps_);
      laps_.stop();
    }
    add_fit_rows(cache_);
  }

  void add_fit_rows(const std::string& cache) {
    for (Row row : laps_.rows()) {
      if (row.stage == "covariances") {
        add(row, counts_.covariances());
      } else if (row.stage == "eigendecompositions") {
        add(row, counts_.eigendecompositions(), false);
      } else if (row.stage == "eigenvalues") {
        row.disk_bytes = bytes_on_disk(cache);
        add(row, counts_.eigenvalues());
      }
    }
  }

  void scores(bool of_self) {
    const int64_t count = of_self ? 1 : asked_.number;
    const data::Dataset queries = loaded_.queries(count);
    const attribute::Inputs given = inputs(queries, cache_);
    const auto scorer = attribute::make_scorer(method(), given, silent_progress());
    const std::string stage = of_self ? "self-influence, beside 1 query"
                                      : fmt::format("scores, {} {}{}", count, count == 1 ? "query" : "queries",
                                                    asked_.method == "ekfac" ? "" : ", " + asked_.method);
    attribute::Scores result;
    for (int run = 0; run < task_.runs; ++run) {
      curvature::Workspace workspace;
      laps_.time(stage, [&] {
        result = scorer->score({loaded_.documents}, {.self_influence = of_self}, workspace, silent_progress());
      });
    }
    for (const Row& row : laps_.rows()) add(row, of_self ? counts_.self_influence() : counted_scores(queries, false));
    if (!of_self) keep(result.total);
  }

  Cost counted_scores(const data::Dataset& queries, bool after_a_fit) const {
    Cost cost = Counts(loaded_.model().architecture(), loaded_.layers, queries, task_.dtype).directions();
    return cost += counts_.scores(queries.size(), after_a_fit);
  }

  void whole() {
    const data::Dataset queries = loaded_.queries(asked_.number);
    const std::string cache = cache_ + ".whole";
    fs::remove_all(cache);
    const attribute::Inputs given = inputs(queries, cache);
    const auto scorer = attribute::make_scorer(method(), given, laps_);
    laps_.lap("scores");
    curvature::Workspace workspace;
    scorer->score({loaded_.documents}, {}, workspace, silent_progress());
    laps_.stop();
    add_fit_rows(cache);
    add(laps_.rows().back(), counted_scores(queries, true));
    fs::remove_all(cache);
  }

  void keep(const at::Tensor& scores) const {
    const at::Tensor rows = scores.to(at::kFloat).contiguous();
    std::ofstream file(scores_file(task_.folder, workload_.name, task_.dtype, task_.what), std::ios::binary);
    file.write(static_cast<const char*>(rows.const_data_ptr()), static_cast<std::streamsize>(rows.nbytes()));
  }

  void add(Row row, const Cost& counted, bool depends_on_tokens = true) {
    row.workload = workload_.name;
    row.dtype = task_.dtype;
    row.tokens = depends_on_tokens ? static_cast<double>(loaded_.documents.tokens()) : 0;
    row.counted = counted;
    rows_.push_back(to_json(row));
  }

  const Workload& workload_;
  const Task& task_;
  Asked asked_;
  Loaded loaded_;
  Counts counts_;
  std::string cache_;
  Laps laps_;
  json rows_ = json::array();
};

json ceilings() {
  const Ceilings best = kernel::measure_ceilings(kCeilingSeconds);
  return {{"ceilings",
           {{"flops_per_second_fp32", best.flops_per_second_fp32},
            {"flops_per_second_bf16", best.flops_per_second_bf16},
            {"bytes_per_second", best.bytes_per_second}}}};
}

}  // namespace

std::string scores_file(const std::string& folder, const std::string& workload, const std::string& dtype,
                        const std::string& what) {
  return fmt::format("{}/{}.{}.{}.f32", folder, workload, dtype, what);
}

json measure(const Workload& workload, const Task& task) {
  if (task.what == "ceilings") return ceilings();
  if (task.what == "lds") return small_study(task.folder, task.is_quick);
  if (task.what.starts_with("index:")) {
    return measure_index(workload, task, std::stoll(task.what.substr(task.what.find(':') + 1)));
  }
  return Stages(workload, task).run();
}

}  // namespace assay::bench
