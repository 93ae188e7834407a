#include "assay/evaluate/retrieval.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::evaluate {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <typename Better>
std::vector<size_t> first_by(std::span<const float> scores, size_t count, Better better) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(count, order.size()));
  std::partial_sort(order.begin(), end, order.end(),
                    [&](size_t a, size_t b) { return scores[a] == scores[b] ? a < b : better(scores[a], scores[b]); });
  order.erase(end, order.end());
  return order;
}

double hits(size_t k, std::span<const size_t> ranking, std::span<const uint8_t> is_relevant) {
  const std::span<const size_t> first = ranking.first(std::min(k, ranking.size()));
  return static_cast<double>(
      std::count_if(first.begin(), first.end(), [&](size_t document) { return is_relevant[document]; }));
}

}  // namespace

std::vector<size_t> top(std::span<const float> scores, size_t count) {
  return first_by(scores, count, std::greater<>());
}

std::vector<size_t> bottom(std::span<const float> scores, size_t count) {
  return first_by(scores, count, std::less<>());
}

double precision_at(size_t k, std::span<const size_t> ranking, std::span<const uint8_t> is_relevant) {
  ASSAY_ASSERT(k > 0);
  return hits(k, ranking, is_relevant) /
         static_cast<double>(ASSAY_TWIN("retrieval.precision_over_all") ? is_relevant.size() : k);
}

double recall_at(size_t k, std::span<const size_t> ranking, std::span<const uint8_t> is_relevant) {
  const auto relevant = std::count(is_relevant.begin(), is_relevant.end(), uint8_t{1});
  return relevant == 0 ? kNaN : hits(k, ranking, is_relevant) / static_cast<double>(relevant);
}

double reciprocal_rank(std::span<const size_t> ranking, std::span<const uint8_t> is_relevant) {
  if (std::find(is_relevant.begin(), is_relevant.end(), uint8_t{1}) == is_relevant.end()) return kNaN;
  for (size_t place = 0; place < ranking.size(); ++place) {
    const double rank = static_cast<double>(place) + (ASSAY_TWIN("retrieval.rank_from_zero") ? 2 : 1);
    if (is_relevant[ranking[place]]) return 1 / rank;
  }
  return 0;
}

double expected_precision_at(size_t k, std::span<const float> scores, std::span<const uint8_t> is_relevant) {
  ASSAY_ASSERT(k > 0 && k <= scores.size() && scores.size() == is_relevant.size());
  const float threshold = scores[top(scores, k).back()];
  double above = 0, above_relevant = 0, tied = 0, tied_relevant = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > threshold) {
      above += 1;
      above_relevant += is_relevant[i] ? 1 : 0;
    } else if (scores[i] == threshold) {
      tied += 1;
      tied_relevant += is_relevant[i] ? 1 : 0;
    }
  }
  const double places = static_cast<double>(k) - above;
  return (above_relevant + places * tied_relevant / tied) / static_cast<double>(k);
}

}  // namespace assay::evaluate
