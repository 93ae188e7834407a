#include "cli/demo_subject.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "assay/attribute/methods_options.h"
#include "assay/attribute/stability.h"
#include "assay/core/factory.h"
#include "assay/data/batch.h"
#include "assay/nn/generate.h"
#include "assay/nn/gradients.h"
#include "assay/nn/measurement.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

struct NamedMethod {
  const char* call;
  const char* name;
};

constexpr NamedMethod kMethods[] = {{"ekfac", "EK-FAC"},
                                    {"relatif", "l-RelatIF"},
                                    {"identity", "gradient dot"},
                                    {"cosine", "gradient cosine"},
                                    {"representation", "representation"},
                                    {"bm25(unit=words)", "BM25 (words)"},
                                    {"bm25(unit=tokens)", "BM25 (tokens)"},
                                    {"random", "random"}};

}  // namespace

AttributeOptions demo_attribute_options(const CommonOptions& common, const std::string& demo_folder,
                                        const std::string& model_folder) {
  AttributeOptions options;
  options.common = common;
  options.model = model_folder;
  options.data.data = demo_folder + "/corpus.jsonl";
  options.queries = demo_folder + "/queries.jsonl";
  return options;
}

std::string demo_attribute_command(const AttributeOptions& options) {
  return fmt::format("assay attribute {} --data {} --queries {} --seed {}{} --out result",
                     quoted_for_shell(options.model), quoted_for_shell(options.data.data),
                     quoted_for_shell(options.queries), options.common.seed,
                     options.common.precision == Precision::Float64 ? " --dtype fp64" : "");
}

std::vector<std::string> demo_methods() {
  std::vector<std::string> calls;
  for (const NamedMethod& method : kMethods) calls.emplace_back(method.call);
  return calls;
}

std::vector<DemoScores> score_demo(const AttributionInputs& subject, const AttributeOptions& options,
                                   Progress& progress) {
  const attribute::Inputs inputs = method_inputs(subject, options);
  std::vector<DemoScores> scores;
  for (const NamedMethod& method : kMethods) {
    const FactoryCall call = parse_factory(method.call, attribute::method_table(), "method");
    const auto scorer = attribute::make_scorer(call, inputs, progress);
    curvature::Workspace workspace;
    scores.push_back({.call = call.canonical(),
                      .title = scorer->meaning().title,
                      .name = method.name,
                      .total = scorer->score(inputs.train, {}, workspace, progress).total.to(at::kFloat).contiguous()});
  }
  return scores;
}

double demo_stability(const AttributionInputs& subject, const AttributeOptions& options, const DemoScores& ours,
                      Progress& progress) {
  curvature::Workspace workspace;
  return attribute::mean_stability(attribute::label_stability(
      parse_factory(ours.call, attribute::method_table(), "method"), method_inputs(subject, options),
      subject.documents(), ours.total, workspace, progress));
}

DemoAnswers ask_demo_model(const nn::Model& model, const AttributionInputs& subject) {
  std::vector<int64_t> rows(subject.queries.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const data::Batch batch = data::make_batch(subject.query_dataset, rows);
  const at::Tensor values = nn::evaluate(model, batch, nn::log_probability()).to(at::kDouble).contiguous();
  const double* first = values.const_data_ptr<double>();
  DemoAnswers answers{.log_probabilities = {first, first + values.numel()}, .says = {}, .is_as_planted = {}};
  for (const data::Query& query : subject.queries) {
    const std::span<const int32_t> tokens(query.example.tokens);
    const auto asked = static_cast<size_t>(query.example.first_counted);
    const std::vector<int32_t> said =
        nn::generate(model, tokens.first(asked), {.max_tokens = static_cast<int64_t>(tokens.size() - asked)});
    answers.says.push_back(subject.tokenizer.decode(said));
    answers.is_as_planted.push_back(std::ranges::equal(said, tokens.subspan(asked)));
  }
  return answers;
}

}  // namespace assay::cli
