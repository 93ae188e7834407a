#include "assay/math/detection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/math/correlation.h"

namespace assay::math {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double count_marked(std::span<const uint8_t> is_marked) {
  return static_cast<double>(std::count(is_marked.begin(), is_marked.end(), true));
}

/// Indices by falling score, ties in their given order.
std::vector<size_t> falling_order(std::span<const double> scores) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [scores](size_t a, size_t b) { return scores[a] > scores[b]; });
  return order;
}

}  // namespace

double auroc(std::span<const double> scores, std::span<const uint8_t> is_marked) {
  ASSAY_ASSERT(scores.size() == is_marked.size());
  const double marked = count_marked(is_marked);
  const double unmarked = static_cast<double>(scores.size()) - marked;
  if (marked == 0 || unmarked == 0) return kUndefined;
  const std::vector<double> ranks = average_ranks(scores);
  double rank_sum = 0;
  for (size_t i = 0; i < ranks.size(); ++i) rank_sum += is_marked[i] ? ranks[i] : 0;
  const double area = (rank_sum - marked * (marked + 1) / 2) / (marked * unmarked);
  return ASSAY_TWIN("math.auroc_reversed") ? 1 - area : area;
}

double average_precision(std::span<const double> scores, std::span<const uint8_t> is_marked) {
  ASSAY_ASSERT(scores.size() == is_marked.size());
  const double marked = count_marked(is_marked);
  if (marked == 0) return kUndefined;
  const std::vector<size_t> order = falling_order(scores);
  double found = 0, area = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    double found_here = 0;
    while (end < order.size() && scores[order[end]] == scores[order[begin]])
      found_here += is_marked[order[end++]] ? 1 : 0;
    found += found_here;
    area += found_here / marked * found / static_cast<double>(end);
    begin = end;
  }
  return area;
}

double inspection_area(std::span<const double> scores, std::span<const uint8_t> is_marked) {
  ASSAY_ASSERT(scores.size() == is_marked.size());
  const double marked = count_marked(is_marked);
  if (marked == 0) return kUndefined;
  double found = 0, area = 0, before = kUndefined;
  for (const size_t index : falling_order(scores)) {
    found += is_marked[index] ? 1 : 0;
    if (!std::isnan(before)) area += 0.5 * (before + found) / marked;  // the curve has n points, hence n - 1 trapezoids
    before = found;
  }
  const double count = static_cast<double>(scores.size());
  return area / (ASSAY_TWIN("math.inspection_over_trapezoids") ? count - 1 : count);
}

double best_inspection_area(double count, double marked) {
  return 1 - marked / (2 * count) - 1 / (2 * count * marked);
}

}  // namespace assay::math
