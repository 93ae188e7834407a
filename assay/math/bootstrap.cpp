#include "assay/math/bootstrap.h"

#include <cmath>
#include <limits>
#include <vector>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/math/summary.h"

namespace assay::math {

Interval bootstrap(size_t count, const std::function<double(std::span<const size_t>)>& statistic,
                   const BootstrapOptions& options) {
  constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
  if (count == 0) return {undefined, undefined};
  constexpr uint64_t kStream = stream_of("bootstrap");
  std::vector<double> drawn;
  std::vector<size_t> items(count);
  for (int resample = 0; resample < options.resamples; ++resample) {
    const uint64_t stream = kStream + static_cast<uint64_t>(resample);
    for (size_t i = 0; i < count; ++i) {
      items[i] = ASSAY_TWIN("math.bootstrap_without_replacement") ? i : random_below(count, options.seed, stream, i);
    }
    const double value = statistic(items);
    if (!std::isnan(value)) drawn.push_back(value);
  }
  const double tail = (1 - options.level) / 2;
  return {quantile(drawn, tail), quantile(drawn, 1 - tail)};
}

Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options) {
  const auto mean_of = [values](std::span<const size_t> items) {
    double sum = 0;
    for (const size_t item : items) sum += values[item];
    return sum / static_cast<double>(items.size());
  };
  return bootstrap(values.size(), mean_of, options);
}

Interval bootstrap_difference(std::span<const double> a, std::span<const double> b, const BootstrapOptions& options) {
  constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
  if (a.empty() || b.empty()) return {undefined, undefined};
  constexpr uint64_t kStream = stream_of("bootstrap difference");
  const auto drawn_mean = [&](std::span<const double> values, uint64_t stream, uint64_t first) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i)
      sum += values[random_below(values.size(), options.seed, stream, first + i)];
    return sum / static_cast<double>(values.size());
  };
  std::vector<double> drawn;
  for (int resample = 0; resample < options.resamples; ++resample) {
    const uint64_t stream = kStream + static_cast<uint64_t>(resample);
    drawn.push_back(drawn_mean(a, stream, 0) - drawn_mean(b, stream, a.size()));
  }
  const double tail = (1 - options.level) / 2;
  return {quantile(drawn, tail), quantile(drawn, 1 - tail)};
}

}  // namespace assay::math
