#include "assay/kernel/narrow_bf16_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_exponential.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/narrow_attention.h"
#include "assay/kernel/narrow_forward.h"
#include "assay/kernel/narrow_strips.h"
#include "assay/kernel/narrow_tiles.h"
#include "assay/kernel/shared_tasks.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

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
