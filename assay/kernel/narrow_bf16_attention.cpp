#include "assay/kernel/narrow_bf16_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_exponential.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/narrow_attention.h"
#include "assay/kernel/narrow_tiles.h"
#include "assay/kernel/shared_tasks.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

constexpr int64_t kHalves = 2;       // of a strip of queries: sixteen lanes each
constexpr float kMostOfSum = 1e30F;  // beyond it another level is needed

struct NarrowSizes {
  int64_t examples, heads, groups, positions, width;
  float scale;
  int64_t window;
  const int64_t* first;  // or null

  /// Keys that the query at place t sees: [begin, t].
  [[nodiscard]] int64_t begin(int64_t example, int64_t t) const {
    const int64_t padding = first ? std::min(first[example], t) : 0;
    return std::max(padding, window > 0 ? t - window + 1 : 0);
  }
  [[nodiscard]] int64_t tiles() const { return (positions + kTileRows - 1) / kTileRows; }
  [[nodiscard]] int64_t panels() const { return (positions + kStrip - 1) / kStrip; }
};

/// 32 queries of an example, or fewer, and which tiles of 16 keys they see.
struct NarrowStrip {
  const NarrowSizes& sizes;
  int64_t example, query, first_tile, last_tile;

  NarrowStrip(const NarrowSizes& of, int64_t b, int64_t first_query) : sizes(of), example(b), query(first_query) {
    first_tile = sizes.begin(b, query) / kTileRows;
    last_tile = (std::min(query + kStrip, sizes.positions) - 1) / kTileRows;
  }
  [[nodiscard]] int64_t first_lane(int64_t half) const { return query + half * kTileRows; }
  /// Whether sixteen queries see all keys of a tile, or none.
  [[nodiscard]] bool all_see(int64_t tile, int64_t half) const {
    const int64_t begin = tile * kTileRows, last = std::min(first_lane(half) + kTileRows, sizes.positions) - 1;
    return begin + kTileRows <= first_lane(half) && last < sizes.positions && begin >= sizes.begin(example, last) &&
           first_lane(half) + kTileRows <= sizes.positions;
  }
  [[nodiscard]] bool none_see(int64_t tile, int64_t half) const {
    return tile * kTileRows >= std::min(first_lane(half) + kTileRows, sizes.positions) ||
           first_lane(half) >= sizes.positions;
  }
  /// Which of sixteen queries see a key.
  [[nodiscard]] ASSAY_AMX ASSAY_INLINE __mmask16 lanes(int64_t key, int64_t half) const {
    const int64_t ahead = ASSAY_TWIN("kernel.narrow_bf16_attention_sees_ahead") ? 1 : 0;
    const int64_t lane = key - ahead - first_lane(half);  // of the query in the key's own place
    const int64_t end = std::min(kTileRows, sizes.positions - first_lane(half));
    const int64_t last = sizes.window > 0 ? std::min(end, lane + sizes.window) : end;
    const auto seen = static_cast<__mmask16>(first_lanes(last) & ~first_lanes(lane));
    if (sizes.first == nullptr || key >= sizes.first[example]) return seen;
    return static_cast<__mmask16>(seen & first_lanes(lane + 1) & ~first_lanes(lane));  // padding sees itself alone
  }
};

/// [B,T,H,K], the rows of a head side by side.
template <typename Number>
struct NarrowHeads {
  Number* data;
  int64_t batch, head, row;
  explicit NarrowHeads(const at::Tensor& x)  // [B,H,T,K]
      : data(static_cast<Number*>(x.data_ptr())), batch(x.stride(0)), head(x.stride(1)), row(x.stride(2)) {}
  [[nodiscard]] Number* at(int64_t b, int64_t h, int64_t t) const { return data + b * batch + h * head + t * row; }
};

NarrowRows rows_of(const NarrowHeads<const float>& x, const NarrowSizes& sizes, int64_t b, int64_t h, int64_t first,
                   int64_t most) {
  return {x.at(b, h, first), std::min(most, sizes.positions - first), sizes.width, x.row};
}

/// What a thread keeps of one strip: two tiles of scores and two of slopes, twice, because the next ones are multiplied
/// while these are used.
struct NarrowScratch {
  AlignedWords scores, slopes, joined, results;
  NarrowScratch()
      : scores(2 * kHalves * kTileWords),
        slopes(2 * kHalves * kTileWords),
        joined(kHalves * kTileWords),
        results(2 * kTileWords) {}
  [[nodiscard]] float* scores_of(int64_t tile) const { return scores.floats() + tile % 2 * kHalves * kTileWords; }
  [[nodiscard]] float* slopes_of(int64_t tile) const { return slopes.floats() + tile % 2 * kHalves * kTileWords; }
};

/// to, two tiles [16 keys][16 queries], = keys · queries.
template <int kSteps>
ASSAY_AMX ASSAY_INLINE void multiply_halves(const uint32_t* keys, const uint32_t* queries, float* to) {
  asm volatile("" : : : "memory");
  _tile_zero(0);
  _tile_zero(1);
#pragma GCC unroll 2
  for (int step = 0; step < kSteps; ++step) {
    _tile_loadd(4, keys + step * kTileWords, 64);
    _tile_loadd(5, queries + (2 * step) * kTileWords, 64);
    _tile_dpbf16ps(0, 4, 5);
    _tile_loadd(6, queries + (2 * step + 1) * kTileWords, 64);
    _tile_dpbf16ps(1, 4, 6);
  }
  _tile_stored(0, to, 64);
  _tile_stored(1, to + kTileWords, 64);
}

/// Tiles 2 and 3, [numbers of a head][16 queries], += turned [numbers, 32 keys] · joined [32 keys, queries].
ASSAY_AMX ASSAY_INLINE void add_to_queries(const uint32_t* turned, const uint32_t* joined) {
  asm volatile("" : : : "memory");
  _tile_loadd(4, turned, 64);
  _tile_loadd(5, joined, 64);
  _tile_dpbf16ps(2, 4, 5);
  _tile_loadd(6, joined + kTileWords, 64);
  _tile_dpbf16ps(3, 4, 6);
}

/// sums [16 keys, numbers] += natural [16 keys, 32 queries] · pairs [32 queries, numbers].
ASSAY_AMX ASSAY_INLINE void add_to_keys(const uint32_t* natural, const uint32_t* pairs, float* sums) {
  asm volatile("" : : : "memory");
  _tile_loadd(0, sums, 64);
  _tile_loadd(4, natural, 64);
  _tile_loadd(5, pairs, 64);
  _tile_dpbf16ps(0, 4, 5);
  _tile_stored(0, sums, 64);
}

ASSAY_AMX ASSAY_INLINE __m512i joined_rows(__m512 of_key, __m512 of_next) {
  const auto both = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(of_next, of_key));
  alignas(64) static constexpr uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), both);
}
ASSAY_AMX ASSAY_INLINE __m512i natural_row(__m512 first_half, __m512 second_half) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second_half, first_half));
}

/// A panel of 32 keys of which a strip sees the first tile alone, or the second.
void clear_odd_rows(int64_t last_tile, const NarrowScratch& scratch) {
  if (last_tile % 2 == 1) return;
  for (int64_t half = 0; half < kHalves; ++half)
    std::fill_n(scratch.joined.get() + half * kTileWords + kTileWords / 2, kTileWords / 2, 0U);
}
void clear_even_rows(const NarrowScratch& scratch) {
  for (int64_t half = 0; half < kHalves; ++half)
    std::fill_n(scratch.joined.get() + half * kTileWords, kTileWords / 2, 0U);
}

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

template <int kSteps>
struct NarrowBackward {
  const NarrowSizes& sizes;
  NarrowHeads<const float> q, k, v, z, dz;
  const float* levels;
  NarrowHeads<float> dq, dk, dv;
  float factor;

  ASSAY_AMX void group(int64_t example, int64_t g) const {
    const AmxTiles tiles;
    const NarrowScratch scratch;
    const int64_t tile_words = kSteps * kTileWords;
    const AlignedWords keys(sizes.tiles() * tile_words), values(sizes.tiles() * tile_words);
    const AlignedWords turned_keys(sizes.panels() * kTileWords), queries(kHalves * tile_words),
        gradients(kHalves * tile_words);
    const AlignedWords query_pairs(kTileWords), gradient_pairs(kTileWords), shares(kTileWords), changes(kTileWords);
    const AlignedWords key_sums(sizes.tiles() * kTileWords), value_sums(sizes.tiles() * kTileWords);
    std::fill_n(key_sums.floats(), sizes.tiles() * kTileWords, 0.0F);
    std::fill_n(value_sums.floats(), sizes.tiles() * kTileWords, 0.0F);
    for (int64_t tile = 0; tile < sizes.tiles(); ++tile) {
      pack_split_left<kSteps>(rows_of(k, sizes, example, g, tile * kTileRows, kTileRows),
                              keys.get() + tile * tile_words);
      pack_split_left<kSteps>(rows_of(v, sizes, example, g, tile * kTileRows, kTileRows),
                              values.get() + tile * tile_words, /*with_low=*/false);
    }
    for (int64_t panel = 0; panel < sizes.panels(); ++panel)
      pack_turned(rows_of(k, sizes, example, g, panel * kStrip, kStrip), turned_keys.get() + panel * kTileWords);
    const int64_t each = sizes.heads / sizes.groups;
    for (int64_t head = g * each; head < (g + 1) * each; ++head) {
      for (int64_t query = 0; query < sizes.positions; query += kStrip) {
        const NarrowStrip strip(sizes, example, query);
        const NarrowRows q_rows = rows_of(q, sizes, example, head, query, kStrip);
        const NarrowRows dz_rows = rows_of(dz, sizes, example, head, query, kStrip);
        pack_split_right<kSteps>(q_rows, queries.get());
        pack_split_right<kSteps>(dz_rows, gradients.get());
        pack_row_pairs(q_rows, query_pairs.get());
        pack_row_pairs(dz_rows, gradient_pairs.get());
        __m512 level[kHalves], delta[kHalves];
        begin_strip(strip, head, dz_rows, level, delta);
        const auto multiply = [&](int64_t tile) ASSAY_INLINE_ON_AMX {
          multiply_halves<kSteps>(keys.get() + tile * tile_words, queries.get(), scratch.scores_of(tile));
          multiply_halves<kSteps>(values.get() + tile * tile_words, gradients.get(), scratch.slopes_of(tile));
        };
        _tile_zero(2);
        _tile_zero(3);
        multiply(strip.last_tile);
        clear_odd_rows(strip.last_tile, scratch);
        // Each tile's products wait until the vector units are at the next: what they read is written by then.
        const auto add_products = [&](int64_t tile) ASSAY_INLINE_ON_AMX {
          add_to_keys(shares.get(), gradient_pairs.get(), value_sums.floats() + tile * kTileWords);
          add_to_keys(changes.get(), query_pairs.get(), key_sums.floats() + tile * kTileWords);
          if (tile % 2 == 1 && tile > strip.first_tile) return;
          if (tile % 2 == 1) clear_even_rows(scratch);
          add_to_queries(turned_keys.get() + tile / 2 * kTileWords, scratch.joined.get());
        };
        for (int64_t tile = strip.last_tile; tile >= strip.first_tile; --tile) {
          if (tile > strip.first_tile) multiply(tile - 1);
          if (tile < strip.last_tile) add_products(tile + 1);
          const bool all = strip.all_see(tile, 0) && strip.all_see(tile, 1);
          all ? pairs<true>(strip, tile, level, delta, scratch, shares, changes)
              : pairs<false>(strip, tile, level, delta, scratch, shares, changes);
        }
        add_products(strip.first_tile);
        _tile_stored(2, scratch.results.floats(), 64);
        _tile_stored(3, scratch.results.floats() + kTileWords, 64);
        asm volatile("" : : : "memory");
        for (int64_t half = 0; half < kHalves; ++half) {
          const int64_t first = strip.first_lane(half), count = std::min(kTileRows, sizes.positions - first);
          if (count > 0)
            put_turned_tile(scratch.results.floats() + half * kTileWords, _mm512_set1_ps(sizes.scale), count,
                            sizes.width, dq.at(example, head, first), dq.row);
        }
      }
    }
    put_rows(key_sums, sizes.scale, dk.at(example, g, 0), dk.row);
    put_rows(value_sums, 1, dv.at(example, g, 0), dv.row);
  }

 private:
  /// Levels and δ = ⟨dz, z⟩ of the strip's queries, one a lane.
  ASSAY_AMX void begin_strip(const NarrowStrip& strip, int64_t head, const NarrowRows& gradients,
                             __m512 (&level)[kHalves], __m512 (&delta)[kHalves]) const {
    alignas(64) float of_level[kStrip] = {}, of_delta[kStrip] = {};
    const bool centers = !ASSAY_TWIN("kernel.narrow_bf16_attention_without_delta");
    const __mmask16 numbers = first_lanes(sizes.width);
    for (int64_t i = 0; i < gradients.count; ++i) {
      of_level[i] = levels[(strip.example * sizes.heads + head) * sizes.positions + strip.query + i];
      const __m512 out = _mm512_maskz_loadu_ps(numbers, z.at(strip.example, head, strip.query + i));
      const __m512 slope = _mm512_maskz_loadu_ps(numbers, gradients.data + i * gradients.stride);
      if (centers) of_delta[i] = _mm512_reduce_add_ps(_mm512_mul_ps(out, slope));
    }
    for (int64_t half = 0; half < kHalves; ++half) {
      level[half] = _mm512_load_ps(of_level + half * kTileRows);
      delta[half] = _mm512_load_ps(of_delta + half * kTileRows);
    }
  }

  /// p and ds of one tile of keys: each as rows of keys, ds as pairs of keys, too.
  template <bool kAllSee>
  ASSAY_AMX ASSAY_INLINE void pairs(const NarrowStrip& strip, int64_t tile, const __m512 (&level)[kHalves],
                                    const __m512 (&delta)[kHalves], const NarrowScratch& scratch,
                                    const AlignedWords& shares, const AlignedWords& changes) const {
    const __m512 scale = _mm512_set1_ps(factor);
    const float *scores = scratch.scores_of(tile), *slopes = scratch.slopes_of(tile);
    uint32_t* joined = scratch.joined.get() + tile % 2 * kTileWords / 2;
    for (int64_t i = 0; i < kTileRows; i += 2) {
      __m512 p[2][kHalves], ds[2][kHalves];
#pragma GCC unroll 2
      for (int64_t j = 0; j < 2; ++j) {
#pragma GCC unroll 2
        for (int64_t half = 0; half < kHalves; ++half) {
          const int64_t place = half * kTileWords + (i + j) * kTileRows;
          __m512 share = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + place), scale, level[half]));
          if constexpr (!kAllSee) share = _mm512_maskz_mov_ps(strip.lanes(tile * kTileRows + i + j, half), share);
          p[j][half] = share;
          ds[j][half] = _mm512_mul_ps(_mm512_sub_ps(_mm512_load_ps(slopes + place), delta[half]), share);
        }
        _mm512_store_si512(shares.get() + (i + j) * kTileRows, natural_row(p[j][0], p[j][1]));
        _mm512_store_si512(changes.get() + (i + j) * kTileRows, natural_row(ds[j][0], ds[j][1]));
      }
#pragma GCC unroll 2
      for (int64_t half = 0; half < kHalves; ++half)
        _mm512_store_si512(joined + half * kTileWords + i / 2 * kTileRows, joined_rows(ds[0][half], ds[1][half]));
    }
  }

  ASSAY_AMX void put_rows(const AlignedWords& sums, float times, float* to, int64_t stride) const {
    const __mmask16 numbers = first_lanes(sizes.width);
    for (int64_t t = 0; t < sizes.positions; ++t) {
      const __m512 row = _mm512_mul_ps(_mm512_load_ps(sums.floats() + t * kTileRows), _mm512_set1_ps(times));
      _mm512_mask_storeu_ps(to + t * stride, numbers, row);
    }
  }
};

at::Tensor stored_like(const at::Tensor& x) {  // [B,H,T,K] stored as [B,T,H,K]
  return at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, at::TensorOptions().dtype(at::kFloat)).transpose(1, 2);
}
at::Tensor with_dense_heads(const at::Tensor& x) {
  return x.stride(3) == 1 ? x : x.contiguous();
}

struct NarrowRun {
  NarrowSizes sizes;
  at::Tensor q, k, v, z, levels, first;
  float factor = 0;

  template <typename Work>
  void of_groups(const Work& work) const {
    share_tasks(sizes.examples * sizes.groups,
                [&](int64_t task) { work.group(task / sizes.groups, task % sizes.groups); });
  }
  template <int kSteps>
  void forward() const {
    of_groups(NarrowForward<kSteps>{sizes, NarrowHeads<const float>(q), NarrowHeads<const float>(k),
                                    NarrowHeads<const float>(v), NarrowHeads<float>(z), levels.data_ptr<float>(),
                                    factor});
  }
  template <int kSteps>
  std::vector<at::Tensor> backward(const at::Tensor& gradient) const {
    const at::Tensor dz = with_dense_heads(gradient);
    std::vector<at::Tensor> found{stored_like(q), stored_like(k), stored_like(v)};
    of_groups(NarrowBackward<kSteps>{
        sizes, NarrowHeads<const float>(q), NarrowHeads<const float>(k), NarrowHeads<const float>(v),
        NarrowHeads<const float>(z), NarrowHeads<const float>(dz), levels.data_ptr<float>(),
        NarrowHeads<float>(found[0]), NarrowHeads<float>(found[1]), NarrowHeads<float>(found[2]), factor});
    return found;
  }
};

}  // namespace

bool is_narrow_bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return has_amx() && q.scalar_type() == at::kFloat && is_narrow_attention(q, k, v);
}

at::Tensor narrow_bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const AttentionRule& rule) {
  NarrowRun run;
  const bool is_slim = q.size(3) <= kSlimHead;
  {
    const at::NoGradGuard no_history;
    run.q = with_dense_heads(q.detach());
    run.k = with_dense_heads(k.detach());
    run.v = with_dense_heads(v.detach());
    if (rule.first.defined()) run.first = rule.first.contiguous();
    run.sizes = {.examples = q.size(0),
                 .heads = q.size(1),
                 .groups = k.size(1),
                 .positions = q.size(2),
                 .width = q.size(3),
                 .scale = static_cast<float>(rule.scale),
                 .window = rule.window,
                 .first = run.first.defined() ? run.first.const_data_ptr<int64_t>() : nullptr};
    run.factor = run.sizes.scale * kLog2E;
    run.levels = at::empty({q.size(0), q.size(1), q.size(2)}, at::TensorOptions().dtype(at::kFloat));
    run.z = stored_like(q);
    is_slim ? run.forward<1>() : run.forward<2>();
  }
  const at::Tensor result = run.z.detach();
  return attach_backward(result, {q, k, v}, [run, is_slim](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    return is_slim ? run.backward<1>(gradient) : run.backward<2>(gradient);
  });
}

#else
bool is_narrow_bf16_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  return false;
}
at::Tensor narrow_bf16_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&, const AttentionRule&) {
  ASSAY_ASSERT(has_amx());
  return {};
}
#endif

}  // namespace assay::kernel
