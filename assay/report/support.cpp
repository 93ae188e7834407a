#include "assay/report/support.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "assay/report/numbers.h"

namespace assay::report {

double Support::share(std::int64_t n) const {
  if (support_total <= 0) return 0;
  const auto end = supporting.begin() + std::clamp<std::int64_t>(n, 0, supporters());
  return std::accumulate(supporting.begin(), end, 0.0) / support_total;
}

Support support_of(const std::vector<double>& scores) {
  Support out;
  std::vector<double> sizes;
  for (const double score : scores) {
    sizes.push_back(std::abs(finite(score, "a score")));
    if (score > 0) out.supporting.push_back(score);
    if (score < 0) out.opposing.push_back(-score);
  }
  out.order.resize(scores.size());
  std::iota(out.order.begin(), out.order.end(), std::int64_t{0});
  const auto score_at = [&](std::int64_t i) { return scores[static_cast<std::size_t>(i)]; };
  std::stable_sort(out.order.begin(), out.order.end(),
                   [&](std::int64_t a, std::int64_t b) { return score_at(a) > score_at(b); });
  std::sort(out.supporting.begin(), out.supporting.end(), std::greater<>());
  std::sort(out.opposing.begin(), out.opposing.end(), std::greater<>());
  out.support_total = std::accumulate(out.supporting.begin(), out.supporting.end(), 0.0);
  out.opposition_total = std::accumulate(out.opposing.begin(), out.opposing.end(), 0.0);
  if (!sizes.empty()) {
    const auto middle = sizes.begin() + std::ssize(sizes) / 2;
    std::nth_element(sizes.begin(), middle, sizes.end());
    out.median_size = *middle;
    out.largest = *std::max_element(sizes.begin(), sizes.end());
  }
  double carried = 0;
  for (const double score : out.supporting) {
    carried += score;
    ++out.half;
    if (carried >= 0.5 * out.support_total) break;
  }
  return out;
}

double percentile_of(const std::vector<double>& scores, std::int64_t index) {
  const double own = scores.at(static_cast<std::size_t>(index));
  const auto lower = std::count_if(scores.begin(), scores.end(), [&](double score) { return score < own; });
  return 100.0 * static_cast<double>(lower) / static_cast<double>(scores.size());
}

}  // namespace assay::report
