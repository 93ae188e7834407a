// What the scores of one query add up to: who supports, who opposes, how many carry half of the support.
// Sorting is the cost: N log N.
#pragma once

#include <cstdint>
#include <vector>

namespace assay::report {

struct Support {
  std::vector<std::int64_t> order;  ///< documents, highest score first; equal scores in corpus order
  std::vector<double> supporting;   ///< positive scores, largest first
  std::vector<double> opposing;     ///< sizes of the negative scores, largest first
  double support_total = 0;
  double opposition_total = 0;  ///< ≥ 0
  double largest = 0;           ///< size of the largest score of either sign
  double median_size = 0;       ///< of |score|
  std::int64_t half = 0;        ///< smallest k whose share of the support is at least a half; 0 without support

  std::int64_t documents() const { return static_cast<std::int64_t>(order.size()); }
  std::int64_t supporters() const { return static_cast<std::int64_t>(supporting.size()); }
  std::int64_t opponents() const { return static_cast<std::int64_t>(opposing.size()); }
  /// Share of the support that the n strongest carry.
  double share(std::int64_t n) const;
  /// A quarter of the documents is no small group.
  bool is_concentrated() const { return half > 0 && (4 * half <= documents() || half == 1); }
};

/// Refuses scores that are not finite.
Support support_of(const std::vector<double>& scores);

/// 100 × the share of documents that score lower: 99.9 means that one in a thousand scores as high or higher.
double percentile_of(const std::vector<double>& scores, std::int64_t index);

}  // namespace assay::report
