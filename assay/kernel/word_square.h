// A square of 16 x 16 words, transposed in registers by four perfect shuffles.
#pragma once

#include <cstdint>

#include "assay/kernel/lanes.h"

namespace assay::kernel {

constexpr int64_t kTurned = 16;  // words of a side: one of the widest vectors

typedef uint32_t SquareWords __attribute__((vector_size(64)));

ASSAY_INLINE void turn_words(SquareWords (&rows)[kTurned]) {
  SquareWords next[kTurned];
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < kTurned / 2; ++i) {
      const SquareWords &a = rows[i], &b = rows[i + kTurned / 2];
      next[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      next[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    for (int i = 0; i < kTurned; ++i) rows[i] = next[i];
  }
}

}  // namespace assay::kernel
