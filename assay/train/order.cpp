#include "assay/train/order.h"

#include <algorithm>
#include <tuple>

#include "assay/core/error.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::train {

std::vector<int64_t> epoch_order(const data::Dataset& dataset, const std::unordered_set<data::ExampleId>& left_out,
                                 uint64_t seed, int64_t epoch) {
  const uint64_t stream = stream_of("train.order") + static_cast<uint64_t>(epoch);
  std::vector<std::tuple<uint64_t, data::ExampleId, int64_t>> keyed;  // hash, id, row
  keyed.reserve(dataset.examples.size());
  for (int64_t row = 0; row < dataset.size(); ++row) {
    const data::ExampleId id = dataset.examples[static_cast<size_t>(row)].id;
    if (left_out.contains(id)) continue;
    const uint64_t key = ASSAY_TWIN("train.order_by_place") ? keyed.size() : id;
    keyed.emplace_back(random_bits(seed, stream, key), id, row);
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<int64_t> rows;
  rows.reserve(keyed.size());
  for (const auto& [hash, id, row] : keyed) rows.push_back(row);
  return rows;
}

int64_t steps_per_epoch(int64_t examples, int64_t batch_size) {
  ASSAY_ASSERT(examples > 0 && batch_size > 0);
  return (examples + batch_size - 1) / batch_size;
}

}  // namespace assay::train
