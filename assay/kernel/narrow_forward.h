// Attention of narrow heads on the matrix unit, forward (narrow_bf16_attention.h). Inside narrow_bf16_attention.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "assay/core/twin.h"
#include "assay/kernel/amx_exponential.h"
#include "assay/kernel/narrow_strips.h"

#if defined(__x86_64__)
namespace assay::kernel {

constexpr float kMostOfSum = 1e30F;  // beyond it another level is needed

template <int kSteps>
struct NarrowForward {
  const NarrowSizes& sizes;
  NarrowHeads<const float> q, k, v;
  NarrowHeads<float> z;
  float* levels;  // [B,H,T], in powers of two
  float factor;   // of scores: scale and log2(e)

  ASSAY_AMX void group(int64_t example, int64_t g) const {
    const AmxTiles tiles;
    const NarrowScratch scratch;
    const AlignedWords keys(sizes.tiles() * kSteps * kTileWords), values(sizes.panels() * kTileWords);
    const AlignedWords queries(kHalves * kSteps * kTileWords);
    for (int64_t tile = 0; tile < sizes.tiles(); ++tile)
      pack_split_left<kSteps>(rows_of(k, sizes, example, g, tile * kTileRows, kTileRows), tile_of(keys, tile));
    for (int64_t panel = 0; panel < sizes.panels(); ++panel)
      pack_turned(rows_of(v, sizes, example, g, panel * kStrip, kStrip), values.get() + panel * kTileWords);
    const int64_t each = sizes.heads / sizes.groups;
    for (int64_t head = g * each; head < (g + 1) * each; ++head) {
      for (int64_t query = 0; query < sizes.positions; query += kStrip) {
        const NarrowStrip strip(sizes, example, query);
        pack_split_right<kSteps>(rows_of(q, sizes, example, head, query, kStrip), queries.get());
        __m512 level[kHalves], sum[kHalves];
        walk(strip, keys, values, queries, scratch, false, level, sum);
        if (is_beyond(sum[0]) || is_beyond(sum[1])) {
          largest_scores(strip, keys, queries, scratch, level);
          walk(strip, keys, values, queries, scratch, true, level, sum);
        }
        put(strip, head, scratch, level, sum);
      }
    }
  }

 private:
  static uint32_t* tile_of(const AlignedWords& keys, int64_t tile) { return keys.get() + tile * kSteps * kTileWords; }
  ASSAY_AMX static bool is_beyond(__m512 sum) {
    return _mm512_cmp_ps_mask(sum, _mm512_set1_ps(kMostOfSum), _CMP_NLE_UQ) != 0;
  }

  /// The largest of the scores, times the factor, of each query among the keys that it sees of a tile.
  ASSAY_AMX ASSAY_INLINE __m512 largest_of_tile(const NarrowStrip& strip, const float* scores, int64_t tile,
                                                int64_t half, __m512 most) const {
    for (int64_t i = 0; i < kTileRows; ++i) {
      const __m512 score = _mm512_load_ps(scores + half * kTileWords + i * kTileRows) * factor;
      most = _mm512_mask_max_ps(most, strip.lanes(tile * kTileRows + i, half), most, score);
    }
    return most;
  }

  ASSAY_AMX void largest_scores(const NarrowStrip& strip, const AlignedWords& keys, const AlignedWords& queries,
                                const NarrowScratch& scratch, __m512 (&level)[kHalves]) const {
    for (__m512& of_half : level) of_half = _mm512_set1_ps(-std::numeric_limits<float>::max());
    if (ASSAY_TWIN("kernel.narrow_bf16_attention_keeps_its_level")) return;
    for (int64_t tile = strip.first_tile; tile <= strip.last_tile; ++tile) {
      multiply_halves<kSteps>(tile_of(keys, tile), queries.get(), scratch.scores_of(tile));
      for (int64_t half = 0; half < kHalves; ++half)
        level[half] = largest_of_tile(strip, scratch.scores_of(tile), tile, half, level[half]);
    }
  }

  ASSAY_AMX void walk(const NarrowStrip& strip, const AlignedWords& keys, const AlignedWords& values,
                      const AlignedWords& queries, const NarrowScratch& scratch, bool has_levels,
                      __m512 (&level)[kHalves], __m512 (&sum)[kHalves]) const {
    for (int64_t half = 0; half < kHalves; ++half) {
      sum[half] = _mm512_setzero_ps();
      if (!has_levels) level[half] = _mm512_setzero_ps();
    }
    _tile_zero(2);
    _tile_zero(3);
    multiply_halves<kSteps>(tile_of(keys, strip.last_tile), queries.get(), scratch.scores_of(strip.last_tile));
    clear_odd_rows(strip.last_tile, scratch);
    const auto add_products = [&](int64_t tile) ASSAY_INLINE_ON_AMX {
      if (tile % 2 == 1 && tile > strip.first_tile) return;
      if (tile % 2 == 1) clear_even_rows(scratch);
      add_to_queries(values.get() + tile / 2 * kTileWords, scratch.joined.get());
    };
    for (int64_t tile = strip.last_tile; tile >= strip.first_tile; --tile) {
      if (tile > strip.first_tile)
        multiply_halves<kSteps>(tile_of(keys, tile - 1), queries.get(), scratch.scores_of(tile - 1));
      if (tile < strip.last_tile) add_products(tile + 1);  // what they read is written by now
      for (int64_t half = 0; half < kHalves; ++half) {
        const float* scores = scratch.scores_of(tile) + half * kTileWords;
        uint32_t* to = scratch.joined.get() + half * kTileWords + tile % 2 * kTileWords / 2;
        if (strip.none_see(tile, half)) {
          std::fill_n(to, kTileWords / 2, 0U);
          continue;
        }
        const bool is_own = tile == strip.first_lane(half) / kTileRows;
        if (is_own && !has_levels) {
          const __m512 least = _mm512_set1_ps(-std::numeric_limits<float>::max());
          level[half] = largest_of_tile(strip, scratch.scores_of(tile), tile, half, least);
        }
        strip.all_see(tile, half) ? exponentials<true>(strip, scores, tile, half, level[half], sum[half], to)
                                  : exponentials<false>(strip, scores, tile, half, level[half], sum[half], to);
      }
    }
    add_products(strip.first_tile);
    _tile_stored(2, scratch.results.floats(), 64);
    _tile_stored(3, scratch.results.floats() + kTileWords, 64);
    asm volatile("" : : : "memory");
  }

  template <bool kAllSee>
  ASSAY_AMX ASSAY_INLINE void exponentials(const NarrowStrip& strip, const float* scores, int64_t tile, int64_t half,
                                           __m512 level, __m512& sum, uint32_t* to) const {
    const __m512 scale = _mm512_set1_ps(factor);
    const __m512i high_halves = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
    __m512 sums[2] = {sum, _mm512_setzero_ps()};  // of the shares as they are kept, so that they sum to 1
#pragma GCC unroll 2
    for (int64_t i = 0; i < kTileRows; i += 2) {
      __m512 p[2];
#pragma GCC unroll 2
      for (int64_t j = 0; j < 2; ++j) {
        p[j] = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + (i + j) * kTileRows), scale, level));
        if constexpr (!kAllSee) p[j] = _mm512_maskz_mov_ps(strip.lanes(tile * kTileRows + i + j, half), p[j]);
      }
      const __m512i kept = joined_rows(p[0], p[1]);
      _mm512_store_si512(to + i / 2 * kTileRows, kept);
      sums[0] = _mm512_add_ps(sums[0], _mm512_castsi512_ps(_mm512_slli_epi32(kept, 16)));
      sums[1] = _mm512_add_ps(sums[1], _mm512_castsi512_ps(_mm512_and_si512(kept, high_halves)));
    }
    sum = _mm512_add_ps(sums[0], sums[1]);
  }

  ASSAY_AMX void put(const NarrowStrip& strip, int64_t head, const NarrowScratch& scratch,
                     const __m512 (&level)[kHalves], const __m512 (&sum)[kHalves]) const {
    for (int64_t half = 0; half < kHalves; ++half) {
      const int64_t first = strip.first_lane(half), count = std::min(kTileRows, sizes.positions - first);
      if (count <= 0) return;
      put_turned_tile(scratch.results.floats() + half * kTileWords, _mm512_div_ps(_mm512_set1_ps(1), sum[half]), count,
                      sizes.width, z.at(strip.example, head, first), z.row);
      alignas(64) float of_sum[kTileRows], of_level[kTileRows];
      _mm512_store_ps(of_sum, sum[half]);
      _mm512_store_ps(of_level, level[half]);
      float* to = levels + (strip.example * sizes.heads + head) * sizes.positions + first;
      for (int64_t i = 0; i < count; ++i) to[i] = of_level[i] + std::log2(of_sum[i]);
    }
  }
};

}  // namespace assay::kernel
#endif
