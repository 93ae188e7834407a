#include "cli/demo_page.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "cli/demo_plan.h"
#include "cli/page_facts.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

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
          .dtype = subject.checkpoint.model.dtype() == at::kDouble ? "fp64" : "fp32"};
}

report::Provenance provenance_of(const DemoOutcome& outcome, const Invocation& invocation, const Plan& plan,
                                 double seconds) {
  const auto documents = static_cast<int64_t>(outcome.corpus.documents.size());
  report::Provenance provenance{.command = shell_line(invocation), .note = "", .rows = {}, .costs = {}};
  provenance.rows = {
      {"Assay", "", fmt::format("{}, LibTorch {}", version_line(), ASSAY_TORCH_VERSION)},
      {"Corpus", outcome.subject.dataset().content_hash(),
       fmt::format("generated, {} documents, {} tokens", format_count(documents),
                   format_count(outcome.subject.dataset().tokens()))},
      {"Model", outcome.subject.checkpoint.hash, "trained here; its recipe is recipes/everything-0.toml"},
      {"Method", outcome.scores.front().call, ""}};
  if (outcome.without_top)
    provenance.rows.push_back(
        {"Trained again", "",
         fmt::format("2 training sets × {} seeds, and everything with the same seeds", outcome.seeds.size())});
  provenance.costs = cost_rows(plan, seconds);
  return provenance;
}

}  // namespace

report::DemoView demo_page(const DemoOutcome& outcome, const Invocation& invocation,
                           const std::string& attribute_command, const Plan& plan, double seconds) {
  const CommonOptions& common = invocation.common();
  const int threads = demo_processes(common);
  return {.model = model_facts(outcome.subject),
          .method_title = outcome.scores.front().title,
          .stability = outcome.stability,
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
