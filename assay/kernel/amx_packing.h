// Matrices of bf16 as the matrix unit loads them (amx_tiles.h): strips of 32 rows; of each, one step of 32 along the
// depth after the other; of each, two tiles. A tile is 16 x 16 words, a word two neighbours along the depth:
//
//   left    word [row][pair]        rows of A
//   right   word [pair][column]     columns of B, given as the rows of its transpose
//
// Strips and depths that are not whole are filled up with zeros. Bound by the caches.
#pragma once

#include <cstdint>

#include "assay/kernel/amx_tiles.h"
#include "assay/kernel/bf16_packing.h"

namespace assay::kernel {

enum class AmxSide : uint8_t { Left, Right };

inline int64_t strips_of(int64_t rows) {
  return (rows + kStrip - 1) / kStrip;
}
inline int64_t steps_of(int64_t depth) {
  return (depth + kStepDepth - 1) / kStepDepth;
}
inline int64_t packed_words(int64_t rows, int64_t depth) {
  return strips_of(rows) * steps_of(depth) * kStepWords;
}

/// Strips [first, last) of `rows` [n,k] → their places in `to`, packed_words(n, k) from 64 bytes on. The processor has
/// the matrix unit.
void pack_strips(const Bf16View& rows, AmxSide side, int64_t first, int64_t last, uint32_t* to);

}  // namespace assay::kernel
