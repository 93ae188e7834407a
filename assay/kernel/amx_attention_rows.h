// Rows of a pattern of attention while it lies in tiles of the matrix unit (amx_tiles.h): 32 queries, of each panel of
// 32 keys four tiles of 16 x 16 float32. Inside bf16_attention.cpp.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "assay/kernel/amx_exponential.h"
#include "assay/kernel/amx_tiles.h"

#if defined(__x86_64__)
namespace assay::kernel {

/// Keys [first, last) that a query sees, counted from the first panel.
struct SeenKeys {
  int64_t first = 0, last = 0;
  /// Of the 16 keys from `key` on.
  [[nodiscard]] ASSAY_INLINE __mmask16 lanes(int64_t key) const {
    return static_cast<__mmask16>(first_lanes(last - key) & ~first_lanes(first - key));
  }
};

/// e^(scale·score - level) of the keys seen to `shares` in bf16, as a left operand, zeros in the rest of the panels.
struct SoftmaxOfRow {
  float level = 0, sum = 0;
};
ASSAY_AMX ASSAY_INLINE SoftmaxOfRow softmax_of_row(const float* scores, int64_t row, int64_t panels, SeenKeys seen,
                                                   float scale, uint32_t* shares) {
  const __m512 none = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  __m512 most = none, sums = _mm512_setzero_ps();
  for (int64_t key = 0; key < panels * kStrip; key += kTileRows)
    most = _mm512_max_ps(most, _mm512_mask_loadu_ps(none, seen.lanes(key), scores + place_in_sums(row, key)));
  SoftmaxOfRow found{scale * _mm512_reduce_max_ps(most), 0};
  const __m512 factor = _mm512_set1_ps(scale * kLog2E), level = _mm512_set1_ps(found.level * kLog2E);
  for (int64_t panel = 0; panel < panels; ++panel) {
    __m512 halves[2];
    for (int64_t half = 0; half < 2; ++half) {
      const int64_t key = panel * kStrip + half * kTileRows;
      const __m512 score = _mm512_load_ps(scores + place_in_sums(row, key));
      halves[half] = _mm512_maskz_mov_ps(seen.lanes(key), power_of_two(_mm512_fmsub_ps(score, factor, level)));
      sums = _mm512_add_ps(sums, halves[half]);
    }
    const auto rounded = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(halves[1], halves[0]));
    _mm512_store_si512(shares + place_in_strip(row, panel), rounded);
  }
  found.sum = _mm512_reduce_add_ps(sums);
  return found;
}

/// Scores become shares e^(scale·score - log_sum), zeros where nothing is seen. Returns Σ share · slope.
ASSAY_AMX ASSAY_INLINE float shares_of_row(float* scores, const float* slopes, int64_t row, int64_t panels,
                                           SeenKeys seen, float scale, float log_sum) {
  const __m512 factor = _mm512_set1_ps(scale * kLog2E), level = _mm512_set1_ps(log_sum * kLog2E);
  __m512 sums = _mm512_setzero_ps();
  for (int64_t key = 0; key < panels * kStrip; key += kTileRows) {
    const int64_t place = place_in_sums(row, key);
    const __m512 power = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + place), factor, level));
    const __m512 share = _mm512_maskz_mov_ps(seen.lanes(key), power);
    _mm512_store_ps(scores + place, share);
    sums = _mm512_mask3_fmadd_ps(share, _mm512_load_ps(slopes + place), sums, seen.lanes(key));
  }
  return _mm512_reduce_add_ps(sums);
}

/// What becomes of two neighbouring rows, panel by panel: the changes of the scores as a left operand, and shares and
/// changes as right operands whose depth is the queries, where the two rows are one row of words.
struct RowPairPlaces {
  uint32_t* left;                            // of the strip
  uint32_t *joined_shares, *joined_changes;  // of the strip's step in the first panel
  int64_t panel_words;                       // from a panel to the next in the joined ones
};
ASSAY_AMX ASSAY_INLINE void changes_of_rows(const float* shares, const float* slopes, int64_t row, int64_t panels,
                                            const float* means, float scale, const RowPairPlaces& to) {
  for (int64_t panel = 0; panel < panels; ++panel) {
    __m512i share_rows[2], change_rows[2];
    for (int64_t i = 0; i < 2; ++i) {
      const int64_t place = place_in_sums(row + i, panel * kStrip);
      const __m512 p0 = _mm512_load_ps(shares + place), p1 = _mm512_load_ps(shares + place + kTileWords);
      const __m512 d0 = (_mm512_load_ps(slopes + place) - means[i]) * p0 * scale;
      const __m512 d1 = (_mm512_load_ps(slopes + place + kTileWords) - means[i]) * p1 * scale;
      share_rows[i] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(p1, p0));
      change_rows[i] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(d1, d0));
      _mm512_store_si512(to.left + place_in_strip(row + i, panel), change_rows[i]);
    }
    for (int64_t half = 0; half < 2; ++half) {
      const int64_t place = panel * to.panel_words + half * kTileWords + row / 2 * kTileRows;
      const auto joined = [half](const __m512i(&rows)[2]) ASSAY_INLINE_ON_AMX -> __m512i {
        const __m256i low = half == 0 ? _mm512_castsi512_si256(rows[0]) : _mm512_extracti64x4_epi64(rows[0], 1);
        const __m256i high = half == 0 ? _mm512_castsi512_si256(rows[1]) : _mm512_extracti64x4_epi64(rows[1], 1);
        return _mm512_or_si512(_mm512_cvtepu16_epi32(low), _mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
      };
      _mm512_store_si512(to.joined_shares + place, joined(share_rows));
      _mm512_store_si512(to.joined_changes + place, joined(change_rows));
    }
  }
}

}  // namespace assay::kernel
#endif
