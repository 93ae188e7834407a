// Vectors for attention with narrow heads: one query a lane, sixty-four bytes of numbers, and what is done with them.
// Every function is a template that is inlined by force into one of the clones that narrow_attention.cpp makes; that
// file undefines the macros again. Sums are exact up to rounding in the order of the lanes; 2^x has a relative error
// below 2e-7 in float32.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numbers>
#include <type_traits>

#include "assay/kernel/attention_rule.h"
#include "assay/kernel/lanes.h"

// The library is built for any x86-64; these functions are compiled once more for each wider register, and the program
// picks at its start. clang 14 accepts levels too, but then picks without asking the processor. Sanitizers are not yet
// running when the choice is made.
#if !defined(__x86_64__) || !defined(__linux__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ASSAY_NARROW_CLONES
#elif !defined(__clang__)
#define ASSAY_NARROW_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define ASSAY_NARROW_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ASSAY_NARROW_CLONES
#endif
// Loops over sums are unrolled, because an index that varies would keep the sums out of the registers. Helpers are
// inlined by force, because one left outside would keep to narrow registers; vectors go by reference, because passing
// them by value differs between processors.
#define ASSAY_NARROW_INLINE __attribute__((always_inline)) inline
#ifdef __clang__
#define ASSAY_NARROW_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ASSAY_NARROW_UNROLL _Pragma("GCC unroll 16")
#endif

namespace assay::kernel {

constexpr int64_t kNarrowWidest = 16;
constexpr int64_t kNarrowGrain = int64_t{1} << 16;  // multiply-adds that are worth another thread

// Sixty-four bytes of numbers, one query a lane, and their bits.
template <typename Number>
struct NarrowVector;
template <>
struct NarrowVector<float> {
  typedef float Lanes __attribute__((vector_size(64)));
  typedef uint32_t Bits __attribute__((vector_size(64)));
};
template <>
struct NarrowVector<double> {
  typedef double Lanes __attribute__((vector_size(64)));
  typedef uint64_t Bits __attribute__((vector_size(64)));
};
template <typename Number>
using NarrowLanes = typename NarrowVector<Number>::Lanes;
template <typename Number>
constexpr int64_t kNarrowLanes = 64 / static_cast<int64_t>(sizeof(Number));

// Of 2^x for |x| <= 1/2: Taylor's log(2)^i / i! in float64; in float32 the fifth degree whose largest relative error,
// 7.5e-8, is least.
template <typename Number>
constexpr auto kNarrowPower = [] {
  std::array<Number, 14> terms{};
  double term = 1;
  for (int i = 0; i < 14; ++i) {
    terms[static_cast<size_t>(i)] = static_cast<Number>(term);
    term *= std::numbers::ln2 / (i + 1);
  }
  return terms;
}();
template <>
inline constexpr std::array<float, 6> kNarrowPower<float> = {1.0000000716552204F,   0.6931469670632651F,
                                                             0.24022119721166807F,  0.05550713274650411F,
                                                             0.009675541479841619F, 0.0013276472028545627F};

template <typename Number>
struct NarrowView {
  Number* data;
  int64_t batch, head, row, column;
  ASSAY_NARROW_INLINE Number* at(int64_t b, int64_t h, int64_t t) const {
    return data + b * batch + h * head + t * row;
  }
};

template <typename Number>
struct NarrowTask {
  int64_t positions, width, group;
  NarrowView<const Number> q, k, v;
  NarrowView<Number> out, levels;  // written by the forward pass, read by the backward; levels: log2 Σ exp, column 0
  NarrowView<const Number> gradient;
  NarrowView<Number> q_gradient, k_gradient, v_gradient;
  Number scale;
  int64_t window;        // at most `positions`
  const int64_t* first;  // of each row of the batch, or null
  int64_t ahead = 0;
  bool with_delta = true;
  bool is_wide = false;  // the processor has registers of 64 bytes
  int64_t blocks() const { return (positions + kNarrowLanes<Number> - 1) / kNarrowLanes<Number>; }
  int64_t padded_width() const { return width <= 8 ? 8 : 16; }
  // The keys that query t of row b sees, first to last; a query beyond the last one sees what is left of the window.
  ASSAY_NARROW_INLINE int64_t last_key(int64_t t) const { return std::min(t + ahead, positions - 1); }
  ASSAY_NARROW_INLINE int64_t first_key(int64_t b, int64_t t) const {
    return std::min(first_seen_key(t, window, first ? first[b] : 0), positions - 1);
  }
};

// 2^x for x <= 0 (or above by rounding). The sum with 1.5 · 2^23 (2^52 in float64) rounds x to the whole number that is
// left in the low bits; the rest, at most a half, goes through a polynomial whose error is about the rounding's (a
// tenth of it in float64). Results below the smallest normal number are 0; NaN stays NaN.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_exp2(NarrowLanes<Number>& x) {
  using Lanes = NarrowLanes<Number>;
  using Bits = typename NarrowVector<Number>::Bits;  // what is far below 0 wraps, and is not used
  constexpr int kDigits = std::numeric_limits<Number>::digits - 1;
  constexpr size_t kDegree = kNarrowPower<Number>.size() - 1;
  constexpr Number kRound = static_cast<Number>(int64_t{3} << (kDigits - 1));
  constexpr Number kSmallest = static_cast<Number>(std::numeric_limits<Number>::min_exponent);
  const Lanes shifted = x + kRound;
  const Lanes rest = x - (shifted - kRound);
  Lanes power = rest * kNarrowPower<Number>[kDegree] + kNarrowPower<Number>[kDegree - 1];
  ASSAY_NARROW_UNROLL
  for (size_t i = 2; i <= kDegree; ++i) power = power * rest + kNarrowPower<Number>[kDegree - i];
  const Bits scaled = __builtin_bit_cast(Bits, power) + (__builtin_bit_cast(Bits, shifted) << kDigits);
  x = x < kSmallest ? Lanes{} : __builtin_bit_cast(Lanes, scaled);
}

ASSAY_NARROW_INLINE void narrow_interleave(const NarrowLanes<float>& a, const NarrowLanes<float>& b,
                                           NarrowLanes<float>& low, NarrowLanes<float>& high) {
  low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
ASSAY_NARROW_INLINE void narrow_interleave(const NarrowLanes<double>& a, const NarrowLanes<double>& b,
                                           NarrowLanes<double>& low, NarrowLanes<double>& high) {
  low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// Both halves of a and b interleaved, for registers of 32 bytes.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_interleave_halves(const NarrowLanes<Number>& a, const NarrowLanes<Number>& b,
                                                  NarrowLanes<Number>* to) {
  using Half = typename Lanes<Number, 32>::Values;
  ASSAY_NARROW_UNROLL
  for (int i = 0; i < 2; ++i) {
    Half x, y, low, high;
    __builtin_memcpy(&x, reinterpret_cast<const char*>(&a) + 32 * i, 32);
    __builtin_memcpy(&y, reinterpret_cast<const char*>(&b) + 32 * i, 32);
    if constexpr (sizeof(Number) == 4) {
      low = __builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
      high = __builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
    } else {
      low = __builtin_shufflevector(x, y, 0, 4, 1, 5);
      high = __builtin_shufflevector(x, y, 2, 6, 3, 7);
    }
    __builtin_memcpy(reinterpret_cast<char*>(to + i), &low, 32);
    __builtin_memcpy(reinterpret_cast<char*>(to + i) + 32, &high, 32);
  }
}

// Two numbers that lie side by side, spread over the lanes: first, second, first, second, ..
template <int kBytes>
ASSAY_NARROW_INLINE void narrow_spread(const float* pair, Lanes<float, kBytes>& to) {
  uint64_t bits;
  __builtin_memcpy(&bits, pair, sizeof bits);
  const typename Lanes<uint64_t, kBytes>::Values spread = typename Lanes<uint64_t, kBytes>::Values{} + bits;
  __builtin_memcpy(&to.values, &spread, kBytes);
}
template <int kBytes>
ASSAY_NARROW_INLINE void narrow_spread(const double* pair, Lanes<double, kBytes>& to) {
  const double a = pair[0], b = pair[1];
  if constexpr (kBytes == 64) {
    to.values = typename Lanes<double, kBytes>::Values{a, b, a, b, a, b, a, b};
  } else {
    to.values = typename Lanes<double, kBytes>::Values{a, b, a, b};
  }
}

// A head's rows side by side [positions][kWidth], zero beyond its width and its positions up to a whole block.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_rows(const NarrowTask<Number>& task, const NarrowView<const Number>& view, int64_t b,
                                     int64_t h, Number* rows) {
  for (int64_t t = 0; t < task.blocks() * kNarrowLanes<Number>; ++t, rows += kWidth) {
    const int64_t width = t < task.positions ? task.width : 0;
    const Number* row = view.at(b, h, t);
    if (width == kWidth && view.column == 1) {
      __builtin_memcpy(rows, row, kWidth * sizeof(Number));
      continue;
    }
    for (int64_t d = 0; d < kWidth; ++d) rows[d] = d < width ? row[d * view.column] : Number{0};
  }
}

// Rows t, t + 1, .. of a head, one a lane, times a factor; zero beyond its width and its positions. And back.
template <int kWidth, typename Number, typename View>
ASSAY_NARROW_INLINE void narrow_gather(const NarrowTask<Number>& task, const View& view, int64_t b, int64_t h,
                                       int64_t t, Number factor, NarrowLanes<Number>* lanes) {
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  Number* numbers = reinterpret_cast<Number*>(lanes);
  if (task.width < kWidth || t + kLanes > task.positions) {
    for (int64_t d = 0; d < kWidth; ++d) lanes[d] = NarrowLanes<Number>{};
  }
  for (int64_t r = 0; r < std::min(kLanes, task.positions - t); ++r) {
    const Number* row = view.at(b, h, t + r);
    for (int64_t d = 0; d < task.width; ++d) numbers[d * kLanes + r] = row[d * view.column] * factor;
  }
}
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_scatter(const NarrowTask<Number>& task, const NarrowView<Number>& view, int64_t b,
                                        int64_t h, int64_t t, const NarrowLanes<Number>* lanes) {
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  const Number* numbers = reinterpret_cast<const Number*>(lanes);
  for (int64_t r = 0; r < std::min(kLanes, task.positions - t); ++r) {
    Number* row = view.at(b, h, t + r);
    for (int64_t d = 0; d < task.width; ++d) row[d * view.column] = numbers[d * kLanes + r];
  }
}

}  // namespace assay::kernel
