// Exponentials of logits while they lie in tiles of the matrix unit (amx_tiles.h): 32 rows by a panel of 32 classes,
// turned into a step of a left operand of bf16, row by row, so that a product's steps can carry them (multiply_tiles).
// Inside amx_head.cpp and amx_head_draws.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "assay/core/twin.h"
#include "assay/kernel/amx_exponential.h"
#include "assay/kernel/amx_tiles.h"

#if defined(__x86_64__)
namespace assay::kernel {

ASSAY_AMX ASSAY_INLINE float largest_logit(const float* logits, int64_t count) {
  const __m512 none = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  __m512 most = none;
  for (int64_t v = 0; v < count; v += 16) {
    const __m512 x = _mm512_mask_loadu_ps(none, first_lanes(count - v), logits + place_in_sums(0, v));
    most = _mm512_mask_mov_ps(most, _mm512_cmp_ps_mask(x, most, _CMP_GT_OQ), x);  // NaNs are passed over
  }
  return _mm512_reduce_max_ps(most);
}

/// Of 32 rows: what to take off their logits, in powers of two, and sixteen partial sums each of the exponentials and
/// of those as they are kept.
struct StripSums {
  alignas(64) float levels[kStrip];
  alignas(64) float sums[kStrip * kTileRows];
  alignas(64) float kept[kStrip * kTileRows];
};

/// e^(logit - level) of a panel of 32 classes in bf16, zeros beyond `classes`; some rows at every step of a product.
struct PanelExponentials {
  const float* logits;  // four tiles, or null: nothing to do
  uint32_t* to;         // the panel's step of a left operand
  StripSums* found;
  int64_t rows_each;
  __mmask16 low, high;  // classes that there are

  PanelExponentials(const float* panel, int64_t classes, uint32_t* shares, StripSums& sums, int64_t steps)
      : logits(panel), to(shares), found(&sums), rows_each(panel == nullptr ? 0 : (kStrip + steps - 1) / steps) {
    const int64_t left = ASSAY_TWIN("kernel.amx_head_counts_what_fills_a_strip") ? kStrip : classes;
    low = first_lanes(left);
    high = first_lanes(left - kTileRows);
  }

  ASSAY_AMX ASSAY_INLINE void of_row(int64_t i) const {
    const float* own = logits + row_of_tiles(i);
    const __m512 scale = _mm512_set1_ps(kLog2E), level = _mm512_set1_ps(found->levels[i]);
    const __m512 first = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(own), scale, level));
    const __m512 second = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(own + kTileWords), scale, level));
    const __m512 lower = _mm512_maskz_mov_ps(low, first), upper = _mm512_maskz_mov_ps(high, second);
    const auto kept = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(upper, lower));
    _mm512_store_si512(to + place_in_strip(i, 0), kept);
    const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(kept, 16));
    const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(kept, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
    add(found->sums + i * kTileRows, _mm512_add_ps(lower, upper));
    add(found->kept + i * kTileRows, _mm512_add_ps(even, odd));
  }
  ASSAY_AMX ASSAY_INLINE void operator()(int64_t step) const {
    const int64_t end = std::min(kStrip, (step + 1) * rows_each);
    for (int64_t i = step * rows_each; i < end; ++i) of_row(i);
  }

 private:
  ASSAY_AMX static ASSAY_INLINE void add(float* to_sums, __m512 x) {
    _mm512_store_ps(to_sums, _mm512_add_ps(_mm512_load_ps(to_sums), x));
  }
};

}  // namespace assay::kernel
#endif
