// What a softmax of rows needs on lanes (lanes.h): the greatest of a row, and numbers rounded to bf16 on the way out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>

#include "assay/kernel/lanes.h"

namespace assay::kernel {

/// The bits of the nearest bf16 numbers, ties to even, in the upper halves of words. Not for NaN.
template <int kBytes>
ASSAY_INLINE auto rounded_bits(const Lanes<float, kBytes>& x) {
  Lanes<uint32_t, kBytes> words;
  __builtin_memcpy(&words.values, &x.values, kBytes);
  words.values = (words.values + 0x7fff + ((words.values >> 16) & 1)) & 0xffff0000U;
  return words;
}

/// The first `count` lanes to bf16.
template <int kBytes>
ASSAY_INLINE void store_rounded(const Lanes<float, kBytes>& x, at::BFloat16* to, int64_t count) {
  const typename Lanes<uint32_t, kBytes>::Values bits = rounded_bits(x).values >> 16;
  typedef uint16_t Halves __attribute__((vector_size(kBytes / 2)));
  const Halves halves = __builtin_convertvector(bits, Halves);
  if (count >= kBytes / 4) {
    __builtin_memcpy(to, &halves, kBytes / 2);
  } else {
    uint16_t part[kBytes / 4];
    __builtin_memcpy(part, &halves, kBytes / 2);
    for (int64_t i = 0; i < count; ++i) to[i].x = part[i];
  }
}

/// The greatest of a row; -inf for none, and NaNs are passed over.
template <int kBytes, typename Number>
ASSAY_INLINE Number largest_of_row(const Number* x, int64_t count) {
  using L = Lanes<Number, kBytes>;
  const int64_t whole = count / L::kCount * L::kCount;
  Number most = -std::numeric_limits<Number>::infinity();
  if (whole > 0) {
    L most_lanes;
    most_lanes.load(x, L::kCount);
    for (int64_t i = L::kCount; i < whole; i += L::kCount) {
      L more;
      more.load(x + i, L::kCount);
      most_lanes.values = more.values > most_lanes.values ? more.values : most_lanes.values;
    }
    for (int64_t i = 0; i < L::kCount; ++i) most = most_lanes.values[i] > most ? most_lanes.values[i] : most;
  }
  for (int64_t i = whole; i < count; ++i) most = x[i] > most ? x[i] : most;
  return most;
}

}  // namespace assay::kernel
