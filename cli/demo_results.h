// The demo's findings in the forms in which people and programs read them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "assay/report/demo_report.h"
#include "cli/demo_findings.h"
#include "cli/invocation.h"

namespace assay::cli {

/// Everything that the demo has in hand at its end.
struct DemoOutcome {
  const data::ThreeCauses& corpus;
  const AttributionInputs& subject;
  const std::vector<DemoScores>& scores;  ///< the first is ours
  double stability = 0;                   ///< of our scores between two draws of labels: Spearman, mean over questions
  std::vector<DemoGroupFindings> groups;
  std::vector<uint64_t> seeds;  ///< of the models of one training set
  DemoTrainingSet everything;
  std::optional<DemoTrainingSet> without_top, without_random;
};

/// result.json but for what it cost (docs/demo.md lists its keys).
nlohmann::ordered_json demo_json(const DemoOutcome& outcome, const Invocation& invocation);

/// The groups of the page, one question of each shown.
std::vector<report::DemoGroup> demo_report_groups(const DemoOutcome& outcome);

/// Precision of every method on every group, and what removal did, as tables for a terminal.
std::string demo_summary(const DemoOutcome& outcome);

}  // namespace assay::cli
