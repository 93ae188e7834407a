// Percentile bootstrap: how far a statistic would move had other items been drawn. Draw r takes item
// random_below(n, seed, r, i) at place i, so that the same seed gives the same interval on every machine. The interval
// is approximate (its coverage tends to the level as n grows); cost: `resamples` evaluations of the statistic.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace assay::math {

struct Interval {
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  double level = 0.95;
  int resamples = 1000;
  uint64_t seed = 0;
};

/// Interval of `statistic` over resampled item numbers (each span holds `count` of them, with repetition). Draws on
/// which the statistic is NaN are left out. NaN bounds where count is 0.
Interval bootstrap(size_t count, const std::function<double(std::span<const size_t>)>& statistic,
                   const BootstrapOptions& options = {});

/// Interval of the mean of `values`.
Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {});

/// Interval of the mean of `a` minus the mean of `b`, each side resampled on its own. NaN bounds where a side is empty.
Interval bootstrap_difference(std::span<const double> a, std::span<const double> b,
                              const BootstrapOptions& options = {});

}  // namespace assay::math
