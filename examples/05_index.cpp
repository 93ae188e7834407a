// 5. Log a corpus's gradients once, then ask as often as you like.
//
//   build/examples/05_index MODEL CORPUS FOLDER 'Once upon a' ' time'
//
// Makes a gradient index in FOLDER (or finds it there), ranks every document of it by one backward pass of the question
// and a matrix product, and scores the strongest again by EK-FAC, whose order is what is printed.
#include <ATen/core/Tensor.h>
#include <fmt/core.h>

#include <algorithm>

#include "assay/attribute/index_build.h"
#include "assay/attribute/logra.h"
#include "assay/attribute/methods_options.h"
#include "assay/attribute/rescore.h"
#include "assay/core/error.h"
#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/data/queries.h"
#include "assay/nn/checkpoint.h"

namespace {

using namespace assay;

constexpr int64_t kRescored = 20, kShown = 5;  // of either end of the ranking

void ask(const std::string& model, const std::string& file, const std::string& folder, const std::string& prompt,
         const std::string& completion) {
  const nn::Checkpoint checkpoint = nn::load_checkpoint(model);
  const nn::Architecture& architecture = checkpoint.model.architecture();
  const data::Tokenizer tokenizer = data::load_tokenizer(model);
  const int64_t context = std::min<int64_t>(architecture.facts().context, 128);

  const data::Corpus corpus = data::read_corpus(file, {.limit = 100});
  const data::Dataset documents = data::encode(corpus, tokenizer, {.context = context}).dataset;
  const attribute::IndexedDocuments indexed{.dataset = documents};
  const attribute::IndexRequest request{.model = checkpoint.model,
                                        .documents = indexed,
                                        .layers = architecture.match_layers("*"),
                                        .settings = {.rank_out = 8, .rank_in = 8},
                                        .model_hash = checkpoint.hash,
                                        .tokenizer_hash = tokenizer.hash(),
                                        .context = context};
  attribute::build_index(folder, request, silent_progress());

  const attribute::GradientIndex index(folder);
  const data::QueryText question{.prompt = prompt, .completion = completion, .source = "the command line"};
  const data::Dataset queries = data::query_dataset({data::encode_query(question, tokenizer, {.context = context})});
  const attribute::Inputs inputs{.model = checkpoint.model,
                                 .train = {documents},
                                 .queries = {queries},
                                 .measurement = nn::log_probability(),
                                 .layers = request.layers,
                                 .index = &index};
  const auto method = [](const char* call) { return parse_factory(call, attribute::method_table(), "method"); };
  const auto logra = attribute::make_logra_scorer(method("logra(damping=0.1)"), inputs, silent_progress());
  const attribute::ScanResult scan =
      logra->scan(kRescored, /*whole_rows=*/1, /*per_layer=*/false, {}, silent_progress());

  // Compression chose whom to look at; the exact method says in which order they are told.
  const std::vector<int64_t> rows = attribute::rows_to_rescore(scan, kRescored);
  const auto exact = attribute::make_scorer(method("ekfac(damping=0.1)"), inputs, silent_progress());
  curvature::Workspace in_memory;
  const data::Dataset again = data::subset(documents, rows);
  const at::Tensor scores = exact->score({again}, {}, in_memory, silent_progress()).total;
  const attribute::Rescored found = attribute::rescored(scan, rows, scores);

  fmt::print("{} of {} documents scored again; index and EK-FAC agree on them to {:.2f} (Spearman)\n", rows.size(),
             index.rows(), found.agreement[0]);
  for (int64_t i = 0; i < std::min(kShown, found.top.rows.size(1)); ++i) {
    const std::string& text = corpus.documents[static_cast<size_t>(found.top.rows[0][i].item<int64_t>())].text;
    fmt::print("{:+9.4f} nats  {:.60}\n", found.top.scores[0][i].item<double>() / static_cast<double>(index.rows()),
               text.substr(0, text.find('\n')));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) {
    fmt::print(stderr, "usage: 05_index MODEL CORPUS FOLDER PROMPT COMPLETION\n");
    return 2;
  }
  try {
    ask(arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
    return 0;
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
