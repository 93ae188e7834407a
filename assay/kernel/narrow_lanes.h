// Vectors for attention with narrow heads: one key a lane, sixty-four bytes of numbers, and what is done with them.
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
constexpr int64_t kNarrowSums = 16;                 // sums held in registers: two rows of width 8 or one of width 16
constexpr int64_t kNarrowGrain = int64_t{1} << 16;  // multiply-adds that are worth another thread

// Sixty-four bytes of numbers, one key a lane, and whole numbers of the same size.
template <typename Number>
struct NarrowVector;
template <>
struct NarrowVector<float> {
  typedef float Lanes __attribute__((vector_size(64)));
  typedef int32_t Whole __attribute__((vector_size(64)));
  typedef uint32_t Bits __attribute__((vector_size(64)));
  static constexpr Whole kPlaces = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};
template <>
struct NarrowVector<double> {
  typedef double Lanes __attribute__((vector_size(64)));
  typedef int64_t Whole __attribute__((vector_size(64)));
  typedef uint64_t Bits __attribute__((vector_size(64)));
  static constexpr Whole kPlaces = {0, 1, 2, 3, 4, 5, 6, 7};
};
template <typename Number>
using NarrowLanes = typename NarrowVector<Number>::Lanes;
template <typename Number>
constexpr int64_t kNarrowLanes = 64 / static_cast<int64_t>(sizeof(Number));

template <typename Number>
constexpr auto kNarrowTaylor = [] {  // of 2^x: log(2)^i / i!
  std::array<Number, 14> terms{};
  double term = 1;
  for (int i = 0; i < 14; ++i) {
    terms[static_cast<size_t>(i)] = static_cast<Number>(term);
    term *= std::numbers::ln2 / (i + 1);
  }
  return terms;
}();

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
  int64_t blocks() const { return (positions + kNarrowLanes<Number> - 1) / kNarrowLanes<Number>; }
  int64_t padded_width() const { return width <= 8 ? 8 : 16; }
  // The keys that query t of row b sees, first to last; a query beyond the last one sees what is left of the window.
  ASSAY_NARROW_INLINE int64_t last_key(int64_t t) const { return std::min(t + ahead, positions - 1); }
  ASSAY_NARROW_INLINE int64_t first_key(int64_t b, int64_t t) const {
    const int64_t padding = first ? first[b] : 0;
    return std::min(t < padding ? t : std::max(padding, t - window + 1), positions - 1);
  }
};

// 2^x for x <= 0 (or above by rounding). The sum with 1.5 · 2^23 (2^52 in float64) rounds x to the whole number that is
// left in the low bits; the rest, at most a half, goes through Taylor's polynomial, whose remainder is less than a
// tenth of the rounding. Results below the smallest normal number are 0; NaN stays NaN.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_exp2(NarrowLanes<Number>& x) {
  using Lanes = NarrowLanes<Number>;
  using Bits = typename NarrowVector<Number>::Bits;  // what is far below 0 wraps, and is not used
  constexpr int kDigits = std::numeric_limits<Number>::digits - 1;
  constexpr size_t kDegree = sizeof(Number) == 4 ? 7 : 13;
  constexpr Number kRound = static_cast<Number>(int64_t{3} << (kDigits - 1));
  constexpr Number kSmallest = static_cast<Number>(std::numeric_limits<Number>::min_exponent);
  const Lanes shifted = x + kRound;
  const Lanes rest = x - (shifted - kRound);
  Lanes power = rest * kNarrowTaylor<Number>[kDegree] + kNarrowTaylor<Number>[kDegree - 1];
  ASSAY_NARROW_UNROLL
  for (size_t i = 2; i <= kDegree; ++i) power = power * rest + kNarrowTaylor<Number>[kDegree - i];
  const Bits scaled = __builtin_bit_cast(Bits, power) + (__builtin_bit_cast(Bits, shifted) << kDigits);
  x = x < kSmallest ? Lanes{} : __builtin_bit_cast(Lanes, scaled);
}

// -infinity outside the places first .. last of this block; nothing to do where the block lies inside.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_mask(NarrowLanes<Number>& scores, int64_t first, int64_t last) {
  using Element = std::conditional_t<sizeof(Number) == 4, int32_t, int64_t>;
  const NarrowLanes<Number> never = NarrowLanes<Number>{} - std::numeric_limits<Number>::infinity();
  const auto& places = NarrowVector<Number>::kPlaces;
  if (last < kNarrowLanes<Number> - 1) scores = places > static_cast<Element>(last) ? never : scores;
  if (first > 0) scores = places < static_cast<Element>(first) ? never : scores;
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

// Sums (or maxima) over the lanes of kCount vectors together: each step halves the vectors and interleaves two of them.
// Afterwards terms[0] holds that of vector i in lane i · kRest, where kCount · kRest is the number of lanes.
template <int kCount, int kRest, bool kMaximum, typename Lanes>
ASSAY_NARROW_INLINE void narrow_reduce(Lanes* terms) {
  if constexpr (kCount > 1 || kRest > 1) {
    constexpr int kLeft = kCount > 1 ? kCount / 2 : 1, kNext = kCount > 1 ? kRest : kRest / 2;
    ASSAY_NARROW_UNROLL
    for (int i = 0; i < kLeft; ++i) {
      Lanes low, high;
      narrow_interleave(terms[i], terms[kCount > 1 ? i + kLeft : i], low, high);
      if constexpr (kMaximum) {
        terms[i] = low > high ? low : high;
      } else {
        terms[i] = low + high;
      }
    }
    narrow_reduce<kLeft, kNext, kMaximum>(terms);
  }
}

// The sum over the lanes of each of kNarrowSums vectors; totals is aligned as they are.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_totals(NarrowLanes<Number>* sums, Number* totals) {
  constexpr int kAtOnce = static_cast<int>(kNarrowLanes<Number>);
  ASSAY_NARROW_UNROLL
  for (int first = 0; first < kNarrowSums; first += kAtOnce) {
    narrow_reduce<kAtOnce, 1, false>(sums + first);
    *reinterpret_cast<NarrowLanes<Number>*>(totals + first) = sums[first];
  }
}

// A head's rows into blocks [blocks][kWidth][lanes], zero beyond its width and its positions; and such sums back.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_gather(const NarrowTask<Number>& task, const NarrowView<const Number>& view, int64_t b,
                                       int64_t h, NarrowLanes<Number>* blocks) {
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  for (int64_t i = 0; i < task.blocks() * kWidth; ++i) blocks[i] = NarrowLanes<Number>{};
  Number* numbers = reinterpret_cast<Number*>(blocks);
  for (int64_t t = 0; t < task.positions; ++t) {
    const Number* row = view.at(b, h, t);
    Number* place = numbers + t / kLanes * kLanes * kWidth + t % kLanes;
    for (int64_t d = 0; d < task.width; ++d) place[d * kLanes] = row[d * view.column];
  }
}
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_scatter(const NarrowTask<Number>& task, const NarrowView<Number>& view, int64_t b,
                                        int64_t h, const NarrowLanes<Number>* blocks, Number factor) {
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  const Number* numbers = reinterpret_cast<const Number*>(blocks);
  for (int64_t t = 0; t < task.positions; ++t) {
    Number* row = view.at(b, h, t);
    const Number* place = numbers + t / kLanes * kLanes * kWidth + t % kLanes;
    for (int64_t d = 0; d < task.width; ++d) row[d * view.column] = place[d * kLanes] * factor;
  }
}

}  // namespace assay::kernel
