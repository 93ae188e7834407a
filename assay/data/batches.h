// How a dataset is cut into batches: examples of similar length together, so that little is padded. The cut depends on
// the dataset alone, never on memory, threads or where an earlier run stopped, so that the same data give the same
// bits.
#pragma once

#include <cstdint>
#include <vector>

#include "assay/data/dataset.h"

namespace assay::data {

/// Rows of the dataset, each once, shortest examples first (equals in their order). A batch holds at most `positions`
/// positions, padding included, and at least one example.
std::vector<std::vector<int64_t>> plan_batches(const Dataset& dataset, int64_t positions = 4096);

}  // namespace assay::data
