// A square of 16 x 16 words, transposed in registers: pairs of words within the lanes of 128 bits, pairs of pairs, then
// the lanes themselves. 64 shuffles, none of which needs a table in a register, so that the square itself finds room.
#pragma once

#include <cstdint>

#include "assay/kernel/lanes.h"

namespace assay::kernel {

constexpr int64_t kTurned = 16;  // words of a side: one of the widest vectors

typedef uint32_t SquareWords __attribute__((vector_size(64)));

ASSAY_INLINE void turn_words(SquareWords (&rows)[kTurned]) {
#pragma GCC unroll 16
  for (int i = 0; i < kTurned; i += 2) {
    const SquareWords a = rows[i], b = rows[i + 1];
    rows[i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    rows[i + 1] = __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kTurned; i += 4) {
    const SquareWords a = rows[i], b = rows[i + 1], c = rows[i + 2], d = rows[i + 3];
    rows[i] = __builtin_shufflevector(a, c, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    rows[i + 1] = __builtin_shufflevector(a, c, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    rows[i + 2] = __builtin_shufflevector(b, d, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    rows[i + 3] = __builtin_shufflevector(b, d, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
  // Lane l of rows[4·g + j] holds column 4·l + j of the rows from 4·g on.
#pragma GCC unroll 16
  for (int j = 0; j < 4; ++j) {
    const SquareWords a = rows[j], b = rows[4 + j], c = rows[8 + j], d = rows[12 + j];
    const SquareWords even = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    const SquareWords odd = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    const SquareWords even2 = __builtin_shufflevector(c, d, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    const SquareWords odd2 = __builtin_shufflevector(c, d, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    rows[j] = __builtin_shufflevector(even, even2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    rows[4 + j] = __builtin_shufflevector(odd, odd2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    rows[8 + j] = __builtin_shufflevector(even, even2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    rows[12 + j] = __builtin_shufflevector(odd, odd2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
}

}  // namespace assay::kernel
