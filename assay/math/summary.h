// Means, their spread, quantiles and t statistics. Sums are plain loops in float64: n is at most millions here, and
// the rounding stays below n · 1e-16 of the largest term.
#pragma once

#include <cstddef>
#include <span>

namespace assay::math {

/// NaN of nothing.
double mean(std::span<const double> values);

/// Unbiased variance (divides by n - 1), two-pass; NaN for fewer than two values.
double variance(std::span<const double> values);

/// Linear interpolation between order statistics (the default of R and NumPy), 0 <= level <= 1. NaN of nothing.
double quantile(std::span<const double> values, double level);

struct TStatistic {
  double difference = 0;      ///< mean of the first minus mean of the second (or zero)
  double standard_error = 0;  ///< of that difference
  double t = 0;               ///< their ratio; infinite where every difference is the same and not zero
  double degrees_of_freedom = 0;
};

/// Paired: is the mean of a[i] - b[i] zero? Needs two pairs or more; fewer give NaN.
TStatistic paired_t(std::span<const double> a, std::span<const double> b);

/// Welch's unpaired t: do the means differ, variances not assumed equal?
TStatistic welch_t(std::span<const double> a, std::span<const double> b);

}  // namespace assay::math
