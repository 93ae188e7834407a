// Σ_r a_r a_rᵀ on and above the diagonal, for float32 matrices of 16 to 256 columns, by tiles of a few rows and a few
// vectors of columns that stay in registers over a slice of the rows of a. Nothing is packed and nothing is formed
// below the diagonal but what shares a vector with it; a general product does both. At the ends of rows and columns a
// tile moves back to lie inside, and what another has summed is left alone: no number outside is read. Exact up to
// rounding: sums over slices of sums over rows in order. About R·M²/2 multiply-adds.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "assay/kernel/lanes.h"

namespace assay::kernel {

// Loops over sums are unrolled: an index that varies would keep the sums out of the registers.
#ifdef __clang__
#define ASSAY_GRAM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ASSAY_GRAM_UNROLL _Pragma("GCC unroll 16")
#endif

// As many sums as the registers hold beside a row's vectors and one of its numbers: 8 x 3 of 32, 4 x 3 of 16.
template <int kBytes>
constexpr int kGramHeight = kBytes == 64 ? 8 : 4;
template <int kBytes>
constexpr int kGramVectors = kBytes >= 32 ? 3 : 2;
constexpr int64_t kGramNarrowest = 16;       // columns: a vector of the widest
constexpr int64_t kGramWidest = 256;         // wider ones are left to a general product
constexpr int64_t kGramNumbers = 44 * 1024;  // of a slice: it is read once a tile, and stays in a core's L2

struct NarrowGram {
  template <int kBytes, int kVectors>
  static ASSAY_INLINE void tile(const float* left, const float* right, int64_t stride, int64_t rows, int64_t skipped,
                                int64_t repeated, float* out, int64_t out_stride) {
    using L = Lanes<float, kBytes>;
    constexpr int kHeight = kGramHeight<kBytes>;
    L sums[kHeight][kVectors], columns[kVectors];
    for (int64_t row = 0; row < rows; ++row, left += stride, right += stride) {
      ASSAY_GRAM_UNROLL
      for (int v = 0; v < kVectors; ++v) columns[v].load(right + v * L::kCount, L::kCount);
      ASSAY_GRAM_UNROLL
      for (int i = 0; i < kHeight; ++i) {
        ASSAY_GRAM_UNROLL
        for (int v = 0; v < kVectors; ++v) sums[i][v].values += columns[v].values * left[i];
      }
    }
    typename Lanes<int32_t, kBytes>::Values places;
    for (int32_t i = 0; i < static_cast<int32_t>(L::kCount); ++i) places[i] = i;
    ASSAY_GRAM_UNROLL
    for (int i = 0; i < kHeight; ++i) {
      if (i < skipped) continue;
      sums[i][0].values = places < static_cast<int32_t>(repeated) ? typename L::Values{} : sums[i][0].values;
      ASSAY_GRAM_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        float* to = out + i * out_stride + v * L::kCount;
        L total;
        total.load(to, L::kCount);
        total.values += sums[i][v].values;
        total.store(to, L::kCount);
      }
    }
  }

  /// out [M,M] += the sums over rows `begin` to `end` of a [R,M]. `beyond` columns after the first of each row of
  /// vectors are left out: 0.
  template <int kBytes>
  static ASSAY_INLINE void run(const float* a, int64_t stride, int64_t width, int64_t begin, int64_t end,
                               int64_t beyond, float* out, int64_t out_stride) {
    constexpr int64_t kCount = Lanes<float, kBytes>::kCount, kHeight = kGramHeight<kBytes>;
    constexpr int64_t kMost = kGramVectors<kBytes>;
    for (int64_t first = begin; first < end; first += kGramNumbers / width) {
      const int64_t rows = std::min(end - first, kGramNumbers / width);
      const float* slice = a + first * stride;
      for (int64_t start = 0; start < width; start += kHeight) {
        const int64_t row = std::min(start, width - kHeight), skipped = start - row;
        int64_t column = start / kCount * kCount + beyond;
        while (column < width) {
          const int64_t left = (width - column + kCount - 1) / kCount;
          // One vector alone would wait for its own additions: four are two and two. A tile may move back, not out.
          int64_t vectors = left == kMost + 1 ? kMost - 1 : std::min(left, kMost);
          if (column + vectors * kCount > width && vectors * kCount > width) --vectors;
          const int64_t repeated = std::max<int64_t>(0, column + vectors * kCount - width), from = column - repeated;
          float* to = out + row * out_stride + from;
          if constexpr (kMost > 2) {
            if (vectors == 3)
              tile<kBytes, 3>(slice + row, slice + from, stride, rows, skipped, repeated, to, out_stride);
          }
          if (vectors == 2) tile<kBytes, 2>(slice + row, slice + from, stride, rows, skipped, repeated, to, out_stride);
          if (vectors == 1) tile<kBytes, 1>(slice + row, slice + from, stride, rows, skipped, repeated, to, out_stride);
          column += vectors * kCount;
        }
      }
    }
  }
};

/// Whether NarrowGram does for sum [M,M] += aᵀa.
inline bool is_narrow_gram(const at::Tensor& sum, const at::Tensor& a) {
  return a.is_cpu() && a.scalar_type() == at::kFloat && sum.scalar_type() == at::kFloat && a.stride(1) == 1 &&
         sum.stride(1) == 1 && a.size(1) >= kGramNarrowest && a.size(1) <= kGramWidest;
}

}  // namespace assay::kernel

#undef ASSAY_GRAM_UNROLL
