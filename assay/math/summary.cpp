#include "assay/math/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::math {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double mean(std::span<const double> values) {
  if (values.empty()) return kNaN;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double variance(std::span<const double> values) {
  if (values.size() < 2) return kNaN;
  const double center = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - center) * (value - center);
  const size_t divisor = ASSAY_TWIN("math.biased_variance") ? values.size() : values.size() - 1;
  return sum / static_cast<double>(divisor);
}

double quantile(std::span<const double> values, double level) {
  ASSAY_ASSERT(level >= 0 && level <= 1);
  if (values.empty()) return kNaN;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double place = level * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  if (below + 1 == sorted.size()) return sorted.back();
  return std::lerp(sorted[below], sorted[below + 1], place - static_cast<double>(below));
}

TStatistic paired_t(std::span<const double> a, std::span<const double> b) {
  ASSAY_ASSERT(a.size() == b.size());
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  const double count = static_cast<double>(a.size());
  TStatistic result;
  result.difference = mean(differences);
  result.standard_error = std::sqrt(variance(differences) / count);
  result.t = result.difference / result.standard_error;
  result.degrees_of_freedom = count - 1;
  return result;
}

TStatistic welch_t(std::span<const double> a, std::span<const double> b) {
  const double count_a = static_cast<double>(a.size()), count_b = static_cast<double>(b.size());
  const double part_a = variance(a) / count_a, part_b = variance(b) / count_b;
  TStatistic result;
  result.difference = mean(a) - mean(b);
  result.standard_error = std::sqrt(part_a + part_b);
  result.t = result.difference / result.standard_error;
  const double below = part_a * part_a / (count_a - 1) + part_b * part_b / (count_b - 1);
  result.degrees_of_freedom = (part_a + part_b) * (part_a + part_b) / below;
  return result;
}

}  // namespace assay::math
