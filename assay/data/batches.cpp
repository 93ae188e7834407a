#include "assay/data/batches.h"

#include <algorithm>
#include <numeric>

#include "assay/core/error.h"

namespace assay::data {

std::vector<std::vector<int64_t>> plan_batches(const Dataset& dataset, int64_t positions) {
  ASSAY_ASSERT(positions >= 1);
  const auto positions_of = [&](int64_t row) {
    const auto tokens = static_cast<int64_t>(dataset.examples[static_cast<size_t>(row)].tokens.size());
    return std::max<int64_t>(1, tokens - 1);
  };
  std::vector<int64_t> order(dataset.examples.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, positions_of);

  std::vector<std::vector<int64_t>> batches;
  for (const int64_t row : order) {  // the newest row is the longest: it sets the width
    if (batches.empty() || static_cast<int64_t>(batches.back().size() + 1) * positions_of(row) > positions)
      batches.emplace_back();
    batches.back().push_back(row);
  }
  return batches;
}

}  // namespace assay::data
