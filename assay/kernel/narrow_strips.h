// Strips of 32 queries of narrow heads beside tiles of 16 keys: who sees whom, where heads lie, and the products of the
// matrix unit between them. Inside narrow_bf16_attention.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_tiles.h"
#include "assay/kernel/attention_rule.h"
#include "assay/kernel/narrow_tiles.h"

#if defined(__x86_64__)
namespace assay::kernel {

constexpr int64_t kHalves = 2;  // of a strip of queries: sixteen lanes each

struct NarrowSizes {
  int64_t examples, heads, groups, positions, width;
  float scale;
  int64_t window;
  const int64_t* first;  // or null

  /// Keys that the query at place t sees: [begin, t].
  [[nodiscard]] int64_t begin(int64_t example, int64_t t) const {
    return first_seen_key(t, window, first ? first[example] : 0);
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
    return begin + kTileRows <= first_lane(half) && begin >= sizes.begin(example, last) &&
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

inline NarrowRows rows_of(const NarrowHeads<const float>& x, const NarrowSizes& sizes, int64_t b, int64_t h,
                          int64_t first, int64_t most) {
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
inline void clear_odd_rows(int64_t last_tile, const NarrowScratch& scratch) {
  if (last_tile % 2 == 1) return;
  for (int64_t half = 0; half < kHalves; ++half)
    std::fill_n(scratch.joined.get() + half * kTileWords + kTileWords / 2, kTileWords / 2, 0U);
}
inline void clear_even_rows(const NarrowScratch& scratch) {
  for (int64_t half = 0; half < kHalves; ++half)
    std::fill_n(scratch.joined.get() + half * kTileWords, kTileWords / 2, 0U);
}

}  // namespace assay::kernel
#endif
