// What the training page derives from its log, and every sentence that it says, so that an editor can read them all.
#pragma once

#include <string>
#include <vector>

#include "assay/report/page.h"
#include "assay/report/training_report.h"

namespace assay::report {

/// Computed once, read by sentences and figures.
struct TrainingFacts {
  const TrainingView* view = nullptr;
  std::size_t reach = 0;     ///< steps on each side that the running mean takes in: a fortieth of the log
  std::vector<double> mean;  ///< [steps] over the steps around each: it begins at the first loss and ends in the mean
                             ///< of the last reach + 1

  double first() const { return view->log.front().loss; }
  double last() const { return mean.back(); }
  /// Where the running mean is lowest.
  std::size_t lowest() const;
  /// The lowest lies below the end by more than a fiftieth: from there the loss rose again.
  bool rises_again() const;
  double epochs() const { return view->log.back().epoch; }
};

/// Checks the view: throws ErrorKind::Internal where it contradicts itself or is not finite.
TrainingFacts facts_of(const TrainingView& view);

std::string training_headline(const TrainingFacts& facts);
Html training_deck(const TrainingFacts& facts);
std::vector<std::string> training_facts_line(const TrainingView& view);
Html curve_finding(const TrainingFacts& facts);
std::vector<Html> curve_notes(const TrainingFacts& facts);
/// The recipe and what came of it, by name.
std::vector<ProvenanceRow> training_rows(const TrainingFacts& facts);
std::vector<ReadingLine> training_reading_lines(const TrainingFacts& facts);

}  // namespace assay::report
