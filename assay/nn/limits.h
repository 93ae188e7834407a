// What a description of a network may state at most: far beyond any network that a machine could hold, and small enough
// that its names and shapes can be listed before its weights are looked for.
#pragma once

#include <cstdint>

namespace assay::nn {

inline constexpr int64_t kMostBlocks = 4096;
inline constexpr int64_t kMostWidth = int64_t{1} << 24;      ///< of any layer, the vocabulary included
inline constexpr int64_t kMostPositions = int64_t{1} << 30;  ///< of a context

}  // namespace assay::nn
