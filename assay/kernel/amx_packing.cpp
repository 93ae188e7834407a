#include "assay/kernel/amx_packing.h"

#include <algorithm>
#include <type_traits>

#include "assay/core/error.h"
#include "assay/kernel/word_square.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

constexpr int64_t kStripsTogether = 4;  // of a matrix whose columns lie side by side: 256 bytes of each, not 64

/// `count` numbers, then zeros.
ASSAY_AMX ASSAY_INLINE SquareWords row_words(const uint16_t* from, int64_t count) {
  const auto mask = static_cast<__mmask32>(count >= 32 ? ~0U : (1U << count) - 1);
  return reinterpret_cast<SquareWords>(_mm512_maskz_loadu_epi16(mask, from));
}

/// `count` numbers of two rows, the second's (or null: zeros) in the high halves.
ASSAY_AMX ASSAY_INLINE SquareWords joined_words(const uint16_t* low, const uint16_t* high, int64_t count) {
  const auto mask = static_cast<__mmask16>(count >= 16 ? 0xFFFFU : (1U << count) - 1);
  const __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, low));
  const auto second_mask = static_cast<__mmask16>(high == nullptr ? 0 : mask);
  const __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(second_mask, high));
  return reinterpret_cast<SquareWords>(_mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
}

/// The tile of 16 rows from `from` on. Height and depth are constants where the tile is whole, so that its words stay in
/// registers.
template <bool kHasRows, bool kIsLeft, typename Height, typename Depth>
ASSAY_AMX ASSAY_INLINE void pack_tile(const uint16_t* from, int64_t stride, Height height, Depth deep, uint32_t* to) {
  SquareWords words[kTurned] = {};
  if constexpr (kHasRows) {
#pragma GCC unroll 16
    for (int64_t i = 0; i < height; ++i) words[i] = row_words(from + i * stride, deep);
  } else {
#pragma GCC unroll 16
    for (int64_t k = 0; k < deep; k += 2) {
      const uint16_t* low = from + k * stride;
      words[k / 2] = joined_words(low, k + 1 < deep ? low + stride : nullptr, height);
    }
  }
  if constexpr (kHasRows != kIsLeft) turn_words(words);
#pragma GCC unroll 16
  for (int64_t i = 0; i < kTurned; ++i) __builtin_memcpy(to + i * kTurned, &words[i], sizeof(SquareWords));
}

template <bool kHasRows, bool kIsLeft>
ASSAY_AMX void pack_on_amx(const Bf16View& rows, int64_t first, int64_t last, uint32_t* to) {
  constexpr int64_t kTogether = kHasRows ? 1 : kStripsTogether;
  const int64_t steps = steps_of(rows.columns), stride = kHasRows ? rows.row_stride : rows.column_stride;
  for (int64_t begin = first; begin < last; begin += kTogether) {
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t deep = std::min(kStepDepth, rows.columns - step * kStepDepth);
      for (int64_t half = 2 * begin; half < 2 * std::min(last, begin + kTogether); ++half) {
        const int64_t row = half * kTileRows, height = std::clamp<int64_t>(rows.rows - row, 0, kTileRows);
        const uint16_t* from = rows.data + row * rows.row_stride + step * kStepDepth * rows.column_stride;
        uint32_t* place = to + (half / 2 * steps + step) * kStepWords + half % 2 * kTileWords;
        if (height == kTileRows && deep == kStepDepth) {
          pack_tile<kHasRows, kIsLeft>(from, stride, std::integral_constant<int64_t, kTileRows>(),
                                       std::integral_constant<int64_t, kStepDepth>(), place);
        } else {
          pack_tile<kHasRows, kIsLeft>(from, stride, height, height > 0 ? deep : 0, place);
        }
      }
    }
  }
}

}  // namespace

void pack_strips(const Bf16View& rows, AmxSide side, int64_t first, int64_t last, uint32_t* to) {
  if (side == AmxSide::Left) {
    rows.has_rows() ? pack_on_amx<true, true>(rows, first, last, to) : pack_on_amx<false, true>(rows, first, last, to);
  } else {
    rows.has_rows() ? pack_on_amx<true, false>(rows, first, last, to)
                    : pack_on_amx<false, false>(rows, first, last, to);
  }
}
#else
void pack_strips(const Bf16View&, AmxSide, int64_t, int64_t, uint32_t*) {
  ASSAY_ASSERT(has_amx());
}
#endif

}  // namespace assay::kernel
