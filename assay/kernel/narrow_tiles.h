// Rows of at most 16 float32 numbers as tiles of the matrix unit (amx_tiles.h). Inside narrow_bf16_attention.cpp.
//
// Split rows are x = high + low, two bf16 numbers that say x to 2^-17, side by side along the depth, left rows as
// (high, high, low) and right ones as (high, low, high): their product is the three large of the four products.
#pragma once

#include <algorithm>
#include <cstdint>

#include "assay/core/twin.h"
#include "assay/kernel/amx_tiles.h"
#include "assay/kernel/word_square.h"

#if defined(__x86_64__)
namespace assay::kernel {

constexpr int64_t kSlimHead = 8;  // numbers of which three times as many fit one depth of 32

/// Fewer rows than a tile holds stand for rows of zeros.
struct NarrowRows {
  const float* data;
  int64_t count, width, stride;
};

ASSAY_AMX ASSAY_INLINE __m512 numbers_of_row(const NarrowRows& rows, int64_t i) {
  return _mm512_maskz_loadu_ps(i < rows.count ? first_lanes(rows.width) : first_lanes(0), rows.data + i * rows.stride);
}

struct SplitNumbers {
  __m256i high, low;  // 16 bf16 numbers
};
ASSAY_AMX ASSAY_INLINE SplitNumbers split_numbers(__m512 x) {
  const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
  const __m512 widened = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
  if (ASSAY_TWIN("kernel.narrow_bf16_attention_rounds_scores")) return {high, _mm256_setzero_si256()};
  return {high, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_sub_ps(x, widened)))};
}

/// The depth of one step of a split row: of slim heads (a, b, c, 0), of others (a, b) and then (c, 0).
template <int kSteps>
ASSAY_AMX ASSAY_INLINE __m512i split_row(int step, __m256i a, __m256i b, __m256i c) {
  if constexpr (kSteps == 1) {
    const __m256i two = _mm256_inserti128_si256(a, _mm256_castsi256_si128(b), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(two), _mm256_zextsi128_si256(_mm256_castsi256_si128(c)), 1);
  } else {
    return step == 0 ? _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1) : _mm512_zextsi256_si512(c);
  }
}

/// 16 rows as left tiles, one a step; `with_low` false: rounded.
template <int kSteps>
ASSAY_AMX ASSAY_INLINE void pack_split_left(const NarrowRows& rows, uint32_t* to, bool with_low = true) {
  for (int64_t i = 0; i < kTileRows; ++i) {
    const SplitNumbers x = split_numbers(numbers_of_row(rows, i));
    const __m256i low = with_low ? x.low : _mm256_setzero_si256();
    for (int step = 0; step < kSteps; ++step)
      _mm512_store_si512(to + step * kTileWords + i * kTileRows, split_row<kSteps>(step, x.high, x.high, low));
  }
}

/// 32 rows as columns of right tiles: of each step the first 16, then the others.
template <int kSteps>
ASSAY_AMX ASSAY_INLINE void pack_split_right(const NarrowRows& rows, uint32_t* to) {
  for (int step = 0; step < kSteps; ++step) {
    for (int64_t half = 0; half < 2; ++half, to += kTileWords) {
      SquareWords words[kTurned];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kTurned; ++i) {
        const SplitNumbers x = split_numbers(numbers_of_row(rows, half * kTileRows + i));
        words[i] = reinterpret_cast<SquareWords>(split_row<kSteps>(step, x.high, x.low, x.high));
      }
      turn_words(words);
#pragma GCC unroll 16
      for (int64_t i = 0; i < kTurned; ++i) __builtin_memcpy(to + i * kTurned, &words[i], sizeof(SquareWords));
    }
  }
}

/// Two rows in bf16, word by word, the second in the high halves.
ASSAY_AMX ASSAY_INLINE SquareWords pair_of_rows(const NarrowRows& rows, int64_t i) {
  const auto low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(numbers_of_row(rows, i)));
  const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(numbers_of_row(rows, i + 1)));
  return reinterpret_cast<SquareWords>(
      _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16)));
}

/// 32 rows as a right tile whose depth they are: [pair of rows][number].
ASSAY_AMX ASSAY_INLINE void pack_row_pairs(const NarrowRows& rows, uint32_t* to) {
  for (int64_t pair = 0; pair < kTileRows; ++pair) {
    const SquareWords words = pair_of_rows(rows, 2 * pair);
    __builtin_memcpy(to + pair * kTileRows, &words, sizeof(words));
  }
}

/// 32 rows as a left tile whose depth they are: [number][pair of rows].
ASSAY_AMX ASSAY_INLINE void pack_turned(const NarrowRows& rows, uint32_t* to) {
  SquareWords words[kTurned];
#pragma GCC unroll 16
  for (int64_t pair = 0; pair < kTurned; ++pair) words[pair] = pair_of_rows(rows, 2 * pair);
  turn_words(words);
#pragma GCC unroll 16
  for (int64_t i = 0; i < kTurned; ++i) __builtin_memcpy(to + i * kTurned, &words[i], sizeof(SquareWords));
}

/// A tile [number][row], each column times its factor, to `count` rows of `width` numbers.
ASSAY_AMX ASSAY_INLINE void put_turned_tile(const float* tile, __m512 factors, int64_t count, int64_t width, float* to,
                                            int64_t stride) {
  SquareWords words[kTurned];
#pragma GCC unroll 16
  for (int64_t i = 0; i < kTurned; ++i)
    words[i] = reinterpret_cast<SquareWords>(_mm512_mul_ps(_mm512_load_ps(tile + i * kTileRows), factors));
  turn_words(words);
  alignas(64) float rows[kTileRows * kTileRows];
#pragma GCC unroll 16
  for (int64_t i = 0; i < kTurned; ++i) __builtin_memcpy(rows + i * kTileRows, &words[i], sizeof(SquareWords));
  const __mmask16 numbers = first_lanes(width);
  for (int64_t i = 0; i < count; ++i)
    _mm512_mask_storeu_ps(to + i * stride, numbers, _mm512_load_ps(rows + i * kTileRows));
}

}  // namespace assay::kernel
#endif
