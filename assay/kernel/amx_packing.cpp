#include "assay/kernel/amx_packing.h"

#include <algorithm>

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

/// The tile of 16 rows from `from` on, `height` and `deep` of it given. Where it is whole they are constants, so that
/// its words stay in registers.
template <bool kHasRows, bool kIsLeft, bool kIsWhole>
ASSAY_AMX ASSAY_INLINE void pack_tile(const uint16_t* from, int64_t stride, int64_t given_height, int64_t given_depth,
                                      uint32_t* to) {
  const int64_t height = kIsWhole ? kTileRows : given_height, deep = kIsWhole ? kStepDepth : given_depth;
  SquareWords words[kTurned] = {};
#pragma GCC unroll 16
  for (int64_t i = 0; i < kTurned; ++i) {
    if constexpr (kHasRows) {
      if (i < height) words[i] = row_words(from + i * stride, deep);
    } else {
      const uint16_t* low = from + 2 * i * stride;
      if (2 * i < deep) words[i] = joined_words(low, 2 * i + 1 < deep ? low + stride : nullptr, height);
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
      if constexpr (!kHasRows) {
        // Of columns side by side the next step lies in a page for each of its numbers: the processor cannot guess
        // them.
        const int64_t next = (step + 1) * kStepDepth, after = std::min(rows.columns, next + kStepDepth);
        for (int64_t i = next; i < after; ++i) {
          const uint16_t* line = rows.data + i * stride + begin * kStrip;
          for (int64_t k = 0; k < std::min(kTogether, last - begin); ++k) __builtin_prefetch(line + k * kStrip);
        }
      }
      for (int64_t half = 2 * begin; half < 2 * std::min(last, begin + kTogether); ++half) {
        const int64_t row = half * kTileRows, height = std::clamp<int64_t>(rows.rows - row, 0, kTileRows);
        const uint16_t* from = rows.data + row * rows.row_stride + step * kStepDepth * rows.column_stride;
        uint32_t* place = to + (half / 2 * steps + step) * kStepWords + half % 2 * kTileWords;
        const bool is_whole = height == kTileRows && deep == kStepDepth;
        is_whole ? pack_tile<kHasRows, kIsLeft, true>(from, stride, height, deep, place)
                 : pack_tile<kHasRows, kIsLeft, false>(from, stride, height, deep, place);
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
