// 3. Ask which documents made a model say something.
//
//   build/examples/03_attribute MODEL CORPUS 'Once upon a' ' time'
//
// Fits EK-FAC to the corpus, scores the completion against every document and prints the strongest on either side.
#include <ATen/core/Tensor.h>
#include <fmt/core.h>

#include <algorithm>

#include "assay/attribute/methods_options.h"
#include "assay/attribute/scorer.h"
#include "assay/attribute/shown.h"
#include "assay/core/error.h"
#include "assay/data/corpus.h"
#include "assay/data/encode.h"
#include "assay/data/queries.h"
#include "assay/nn/checkpoint.h"

namespace {

using namespace assay;

void ask(const std::string& model, const std::string& file, const std::string& prompt, const std::string& completion) {
  const nn::Checkpoint checkpoint = nn::load_checkpoint(model);
  const nn::Architecture& architecture = checkpoint.model.architecture();
  const data::Tokenizer tokenizer = data::load_tokenizer(model);
  const int64_t context = std::min<int64_t>(architecture.facts().context, 128);

  const data::Corpus corpus = data::read_corpus(file, {.limit = 100});
  const data::Dataset documents = data::encode(corpus, tokenizer, {.context = context}).dataset;
  const data::QueryText question{.prompt = prompt, .completion = completion, .source = "the command line"};
  const data::Dataset queries = data::query_dataset({data::encode_query(question, tokenizer, {.context = context})});

  // A method is one line of text; the measurement is what it explains. Everything given here must outlive the scorer.
  const FactoryCall method = parse_factory("ekfac(damping=0.1)", attribute::method_table(), "method");
  const attribute::Inputs inputs{.model = checkpoint.model,
                                 .train = {documents},
                                 .queries = {queries},
                                 .measurement = nn::log_probability(),
                                 .layers = architecture.match_layers("*")};
  const auto scorer = attribute::make_scorer(method, inputs, silent_progress());
  curvature::Workspace in_memory;
  const attribute::Scores scores = scorer->score({documents}, {}, in_memory, silent_progress());

  const at::Tensor row = scores.total[0].to(at::kDouble).contiguous();
  const std::span<const double> values(row.const_data_ptr<double>(), static_cast<size_t>(row.numel()));
  // Over the number of documents, a score is the change in nats that the document is worth.
  const auto print = [&](int64_t place) {
    const std::string& text = corpus.documents[static_cast<size_t>(place)].text;
    fmt::print("{:+9.4f} nats  {:.60}\n", values[static_cast<size_t>(place)] / static_cast<double>(documents.size()),
               text.substr(0, text.find('\n')));
  };
  for (const int64_t place : attribute::strongest_supporters(values, 5, true)) print(place);
  fmt::print("…\n");
  for (const int64_t place : attribute::strongest_opponents(values, 2)) print(place);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    fmt::print(stderr, "usage: 03_attribute MODEL CORPUS PROMPT COMPLETION\n");
    return 2;
  }
  try {
    ask(arguments[1], arguments[2], arguments[3], arguments[4]);
    return 0;
  } catch (const assay::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return error.exit_code();
  }
}
