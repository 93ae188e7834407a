// Agreement of two columns of numbers. Ranks are 1-based and ties share their average rank, so that Spearman's rho is
// Pearson's r of the ranks, exactly. O(n log n). A constant column has no correlation: NaN, for the caller to count.
#pragma once

#include <span>
#include <vector>

namespace assay::math {

/// Average ranks [n], smallest value first. Errors: Numeric for a NaN, which has no place in an order.
std::vector<double> average_ranks(std::span<const double> values);

/// Pearson's r in [-1, 1] of two columns [n] of equal length; two-pass. NaN when one is constant or n < 2.
double pearson(std::span<const double> x, std::span<const double> y);

/// Spearman's rho in [-1, 1]: unchanged by strictly increasing maps of either side.
double spearman(std::span<const double> x, std::span<const double> y);

}  // namespace assay::math
