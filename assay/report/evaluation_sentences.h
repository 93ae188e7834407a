// What the evaluation page derives from its view, and every sentence that it says, so that an editor can read them all.
#pragma once

#include <string>
#include <vector>

#include "assay/report/evaluation_report.h"
#include "assay/report/page.h"

namespace assay::report {

/// Computed once, read by sentences and figures.
struct EvaluationFacts {
  const EvaluationView* view = nullptr;
  std::vector<double> per_target;  ///< [N] loss per target; NaN without a target or where the loss is not finite
  std::vector<double> sorted;      ///< the finite ones of `per_target`, smallest first
  std::int64_t without_target = 0;
  std::int64_t not_finite = 0;

  /// The value below which this share of the examples lies, between neighbours by proportion. Needs one example.
  double quantile(double share) const;
  bool is_text() const { return view->tokens > 0; }
  bool is_in_nats() const { return view->unit == "nats"; }
  /// "nats a token", "half squared error".
  std::string unit_a_target() const;
};

/// Checks the view: throws ErrorKind::Internal where it contradicts itself.
EvaluationFacts facts_of(const EvaluationView& view);

/// "a token", "an example".
std::string a_or_an(const std::string& noun);

Html evaluation_headline(const EvaluationFacts& facts);
Html evaluation_deck(const EvaluationFacts& facts);
std::vector<std::string> evaluation_facts_line(const EvaluationFacts& facts);
Html losses_finding(const EvaluationFacts& facts);
Html losses_note(const EvaluationFacts& facts);
/// What is not drawn: examples without a target, losses that are not numbers. Empty where there are none.
Html left_out_note(const EvaluationFacts& facts);
Html examples_finding(const EvaluationFacts& facts);
Html examples_note(const EvaluationFacts& facts);
std::vector<ReadingLine> evaluation_reading_lines(const EvaluationFacts& facts);

}  // namespace assay::report
