#include "cli/demo_page.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>

#include "assay/core/threads.h"
#include "assay/core/version.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

// The design of assay/data/generated/three_causes.h and of the recipe, as the plan needs it.
constexpr double kTokens = 24'000, kDocuments = 2'478, kQuestions = 52;
constexpr double kMatrixParameters = 4 * (4 * 64 * 64 + 3 * 64 * 192), kHeadParameters = 259 * 64;
constexpr double kEpochs = 12, kStepsAnEpoch = 52;
constexpr double kCallsAStep = 700;             // operators of forward, backward and optimizer
constexpr double kCallsAPass = 40 * 500;        // batches times operators of forward, backward and 28 tracked layers
constexpr int64_t kProcessBytes = 420'000'000;  // one process with LibTorch and a small model

Cost training_cost(int models, int at_once) {
  return {.flops = models * 6 * (kMatrixParameters + kHeadParameters) * kTokens * kEpochs,
          .operator_calls = models * kEpochs * kStepsAnEpoch * kCallsAStep / at_once,
          .peak_bytes = kProcessBytes * (at_once + 1),
          .disk_bytes = int64_t{models} * 1'200'000};
}

/// Two passes for the factors, then one a gradient method, in which every document meets every question.
Cost scoring_cost() {
  constexpr double kPasses = 2, kGradientMethods = 4;
  return {.flops = (kPasses + kGradientMethods) * 6 * (kMatrixParameters + kHeadParameters) * kTokens +
                   kGradientMethods * 2 * kQuestions * kDocuments * kMatrixParameters,
          .operator_calls = (kPasses + kGradientMethods) * kCallsAPass,
          .peak_bytes = kProcessBytes + 300'000'000,
          .disk_bytes = static_cast<int64_t>(8 * 4 * kQuestions * kDocuments)};
}

int processes_at_once(const CommonOptions& common) {
  return common.threads > 0 ? static_cast<int>(common.threads) : granted_cores();
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

report::ModelFacts model_facts(const AttributionInputs& subject) {
  const nn::Facts facts = subject.checkpoint.model.architecture().facts();
  return {.name = "the demo's model",
          .family = subject.checkpoint.model.architecture().family(),
          .blocks = static_cast<int>(facts.blocks),
          .width = static_cast<int>(facts.width),
          .heads = static_cast<int>(facts.heads),
          .kv_heads = static_cast<int>(facts.key_value_heads),
          .vocabulary = static_cast<int>(facts.vocabulary),
          .parameters = subject.checkpoint.model.parameters().count(),
          .dtype = "fp32"};
}

report::Provenance provenance_of(const DemoOutcome& outcome, const Invocation& invocation, const Plan& plan,
                                 double seconds) {
  const auto documents = static_cast<int64_t>(outcome.corpus.documents.size());
  report::Provenance provenance{.command = shell_line(invocation), .note = "", .rows = {}, .costs = {}};
  provenance.rows = {
      {"Assay", "", fmt::format("{}, LibTorch {}", version_line(), ASSAY_TORCH_VERSION)},
      {"Corpus", outcome.subject.text.corpus.content_hash(),
       fmt::format("generated, {} documents, {} tokens", format_count(documents),
                   format_count(outcome.subject.dataset().tokens()))},
      {"Model", outcome.subject.checkpoint.hash, "trained here; its recipe is recipes/everything-0.toml"},
      {"Method", outcome.scores.front().call, ""}};
  if (outcome.without_top)
    provenance.rows.push_back(
        {"Trained again", "",
         fmt::format("2 training sets × {} seeds, and everything with the same seeds", outcome.seeds.size())});
  provenance.costs = {
      {"time", format_seconds(plan.total_seconds()), format_seconds(seconds), plan.total_seconds(), seconds},
      {"memory", format_bytes(plan.peak_bytes()), format_bytes(peak_resident_bytes()),
       static_cast<double>(plan.peak_bytes()), static_cast<double>(peak_resident_bytes())}};
  return provenance;
}

}  // namespace

Plan plan_demo(const DemoOptions& options, const Ceilings& ceilings) {
  const int at_once = processes_at_once(options.common);
  Plan plan(ceilings);
  plan.add("training", training_cost(2, std::min(2, at_once)));
  plan.add("factors and scores", scoring_cost());
  if (options.retrain) plan.add("training again", training_cost(4, std::min(4, at_once)));
  return plan;
}

report::DemoView demo_page(const DemoOutcome& outcome, const Invocation& invocation,
                           const std::string& attribute_command, const Plan& plan, double seconds) {
  const CommonOptions& common = invocation.common();
  const int threads = processes_at_once(common);
  return {.model = model_facts(outcome.subject),
          .method_title = outcome.scores.front().title,
          .documents = static_cast<int64_t>(outcome.corpus.documents.size()),
          .corpus_tokens = outcome.subject.dataset().tokens(),
          .seed = static_cast<uint64_t>(common.seed),
          .retrained_seeds = outcome.without_top ? static_cast<int>(outcome.seeds.size()) : 0,
          .took = fmt::format("{} on {} {}", format_seconds(seconds), threads, threads == 1 ? "core" : "cores"),
          .date = today(),
          .attribute_command = attribute_command,
          .limits = {"Names that occur nowhere else make the facts easy for word overlap.",
                     "The number of epochs was chosen so that answers are learned but not memorised: a memorised "
                     "answer leaves its "
                     "documents no gradient, and no method of this kind would find them."},
          .groups = demo_report_groups(outcome),
          .provenance = provenance_of(outcome, invocation, plan, seconds)};
}

}  // namespace assay::cli
