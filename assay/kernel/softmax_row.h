// Softmax of one row on lanes (lanes.h), its probabilities rounded to bf16 on the way out: what products of bf16 read
// next. Sums are float32, exact up to rounding; the row is read three times from the cache.
#pragma once

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "assay/kernel/lane_exponential.h"
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

/// exps[i] = e^(scale·x[i] - scale·max x), which may be x itself; probabilities[i] = exps[i]/Σ exps in bf16;
/// log_sum = log Σ e^(scale·x[i]).
struct SoftmaxRow {
  template <int kBytes>
  static ASSAY_INLINE void run(const float* x, int64_t count, float scale, float* exps, at::BFloat16* probabilities,
                               float* log_sum) {
    using L = Lanes<float, kBytes>;
    const int64_t whole = count / L::kCount * L::kCount;
    const float level = scale * largest_of_row<kBytes>(x, count);
    L sums{};
    by_lanes<L>(count, [&](int64_t i, auto lanes) ASSAY_INLINE_LAMBDA {
      L e;
      e.load(x + i, lanes);
      e.values = e.values * scale - level;
      exponentiate(e);
      e.store(exps + i, lanes);
      if (lanes >= L::kCount) sums.values += e.values;  // beyond the row lanes hold e^-level
    });
    float total = sums.sum();
    for (int64_t i = whole; i < count; ++i) total += exps[i];
    *log_sum = level + std::log(total);
    const float share = 1 / total;
    by_lanes<L>(count, [&](int64_t i, auto lanes) ASSAY_INLINE_LAMBDA {
      L e;
      e.load(exps + i, lanes);
      e.values *= share;
      store_rounded(e, probabilities + i, lanes);
    });
  }
};

}  // namespace assay::kernel
