// Which examples a curvature is fitted on. Its covariances and mean squares are averages that settle long before a
// large corpus ends, so that at most 100,000 examples are walked for either (kronfluence's default), drawn at random.
// A draw belongs to (seed, example id): the order of the corpus decides nothing, and an example that was left out of
// one corpus changes no other example's draw. Exact; O(N log N).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "assay/data/dataset.h"

namespace assay::attribute {

inline constexpr int64_t kFitExamples = 100'000;

/// Rows of the `most` examples with the smallest draws, ascending; nothing where the dataset has no more than `most`.
std::optional<std::vector<int64_t>> fit_rows(const data::Dataset& dataset, int64_t most, uint64_t seed);

}  // namespace assay::attribute
