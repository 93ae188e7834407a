// The order of examples in an epoch: ids sorted by a hash of (seed, epoch, id). Each example's place depends on no
// other example, so that training without some documents keeps the order of the rest: what changes is their absence
// alone.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "assay/data/dataset.h"

namespace assay::train {

/// Rows of `dataset` that are not left out, in the order of `epoch`. O(N log N).
std::vector<int64_t> epoch_order(const data::Dataset& dataset, const std::unordered_set<data::ExampleId>& left_out,
                                 uint64_t seed, int64_t epoch);

/// Steps of one epoch over `examples` examples: the last batch may be smaller, none is dropped.
int64_t steps_per_epoch(int64_t examples, int64_t batch_size);

}  // namespace assay::train
