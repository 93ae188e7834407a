// The ends of an index's rankings, scored again by the exact method: compression chooses which documents are looked at,
// never in which order they are told. Of each question the strongest from either end are taken; every question is then
// scored on all that any of them took, so that their lists hold exact scores throughout.
//
// Documents that were not scored again keep the index's estimate, brought to the exact scores' scale (least squares
// through zero over those that have both), for sums and shares over the corpus alone: an estimate is never told beside
// an exact score.
#pragma once

#include <vector>

#include "assay/attribute/index_scan.h"

namespace assay::attribute {

/// Rows to score again, ascending: up to `each_end` from the top and from the bottom of every question.
std::vector<int64_t> rows_to_rescore(const ScanResult& scan, int64_t each_end);

struct Rescored {
  at::Tensor whole;               ///< [W,N] exact where scored again, else the scaled estimate
  RankingEnd top, bottom;         ///< [Q,k] among the rows scored again, by exact score
  std::vector<double> agreement;  ///< [W] Spearman between index and exact over the rows that have both; may be NaN
  std::vector<double> scale;      ///< [W] exact score a unit of the index's; 0 where they disagree in sign
};

/// exact: [Q,U] for the rows of rows_to_rescore.
Rescored rescored(const ScanResult& scan, const std::vector<int64_t>& rows, const at::Tensor& exact);

}  // namespace assay::attribute
