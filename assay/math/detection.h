// How well a score separates marked items from the rest (mislabelled documents, planted facts). Nothing here depends on
// the scores' scale: every number is unchanged by a strictly increasing map. O(n log n).
#pragma once

#include <cstdint>
#include <span>

namespace assay::math {

/// Area under the ROC curve: P(marked > unmarked) + P(tie) / 2, which is Mann-Whitney's U / (n1 n0).
/// scores, is_marked (0 or 1): [n]. NaN where all or none are marked.
double auroc(std::span<const double> scores, std::span<const uint8_t> is_marked);

/// Average precision, highest score first: the sum over distinct thresholds of (recall step) × precision. Tied scores
/// are one threshold. NaN where none is marked.
double average_precision(std::span<const double> scores, std::span<const uint8_t> is_marked);

/// Trapezoid area under "share of the marked found after inspecting i items, highest score first", divided by n. With
/// n1 marked items its best value is best_inspection_area(n, n1), not 1. Ties are inspected in their given order.
double inspection_area(std::span<const double> scores, std::span<const uint8_t> is_marked);

/// 1 - n1/(2n) - 1/(2 n n1).
double best_inspection_area(double count, double marked);

}  // namespace assay::math
