#include "assay/kernel/bf16_attention.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/aligned_words.h"
#include "assay/kernel/amx_attention_rows.h"
#include "assay/kernel/amx_packing.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/bf16_rounding.h"
#include "assay/kernel/shared_tasks.h"
#include "assay/kernel/word_square.h"

namespace assay::kernel {
#if defined(__x86_64__)
namespace {

constexpr int64_t kStripsTogether = 4;  // of queries, whose shares meet the gradient of z in one product
constexpr int64_t kFewQueries = 8;      // below this the products are too small to gain

struct AttentionSizes {
  int64_t examples, heads, groups, queries, keys, width;
  float scale;
  int64_t window;
  const int64_t* first;  // or null

  /// Keys that the query at place t sees: [begin, t].
  [[nodiscard]] int64_t begin(int64_t example, int64_t t) const {
    return first_seen_key(t, window, first ? first[example] : 0);
  }
  [[nodiscard]] int64_t place_of(int64_t query) const { return keys - queries + query; }
  [[nodiscard]] int64_t depth_steps() const { return steps_of(width); }
  [[nodiscard]] int64_t width_panels() const { return strips_of(width); }
  [[nodiscard]] int64_t key_panels() const { return strips_of(keys); }
};

/// [B,T,H,K] contiguous, seen head by head.
template <typename Number>
struct HeadsView {
  Number* data;
  int64_t batch_stride, row_stride, width;
  explicit HeadsView(const at::Tensor& x)
      : data(static_cast<Number*>(x.data_ptr())),
        batch_stride(x.stride(0)),
        row_stride(x.stride(1)),
        width(x.size(3)) {}
  [[nodiscard]] Number* at(int64_t example, int64_t row, int64_t head) const {
    return data + example * batch_stride + row * row_stride + head * width;
  }
};
using Bf16Heads = HeadsView<uint16_t>;

Bf16View rows_of(const Bf16Heads& x, int64_t example, int64_t row, int64_t head, int64_t count) {
  return {x.at(example, row, head), count, x.width, x.row_stride, 1};
}

/// 32 queries of a head, or fewer, and the panels of 32 keys that any of them sees.
struct QueryStrip {
  int64_t query, count;
  int64_t first_panel, panels;

  QueryStrip(const AttentionSizes& sizes, int64_t example, int64_t first_query)
      : query(first_query), count(std::min(kStrip, sizes.queries - first_query)) {
    const int64_t t = sizes.place_of(query);
    first_panel = std::min(sizes.begin(example, t), t) / kStrip;
    panels = (t + count - 1) / kStrip + 1 - first_panel;
  }
  /// Nothing beyond the last query.
  [[nodiscard]] SeenKeys seen(const AttentionSizes& sizes, int64_t example, int64_t i) const {
    if (i >= count) return {};
    const int64_t t = sizes.place_of(query + i), from = first_panel * kStrip;
    const bool is_mistaken = ASSAY_TWIN("kernel.bf16_attention_sees_whole_panels");
    return {is_mistaken ? 0 : sizes.begin(example, t) - from, t + 1 - from};
  }
};

/// The keys or values of a head as right operands: turned [K,S], a panel of 32 keys after the other, or pairs [S,K], a
/// panel of 32 of the width after the other.
AlignedWords packed_turned(const Bf16View& rows) {
  AlignedWords to(packed_words(rows.rows, rows.columns));
  pack_strips(rows, AmxSide::Right, 0, strips_of(rows.rows), to.get());
  return to;
}
AlignedWords packed_pairs(const Bf16View& rows) {
  AlignedWords to(packed_words(rows.columns, rows.rows));
  pack_strips(rows.transposed(), AmxSide::Right, 0, strips_of(rows.columns), to.get());
  return to;
}

/// to [panels] tiles = the rows of a strip times the keys of its panels.
ASSAY_AMX void multiply_keys(const AttentionSizes& sizes, const QueryStrip& strip, const uint32_t* rows,
                             const AlignedWords& turned, float* to) {
  for (int64_t panel = 0; panel < strip.panels; ++panel) {
    const uint32_t* keys = turned.get() + (strip.first_panel + panel) * sizes.depth_steps() * kStepWords;
    multiply_tiles(rows, keys, sizes.depth_steps(), false, to + panel * kSumsOfTiles);
  }
}

/// to [count,K] = left [count, keys of its panels] · keys, each row times its factor.
ASSAY_AMX void put_mixture(const AttentionSizes& sizes, const QueryStrip& strip, const uint32_t* left,
                           const AlignedWords& pairs, const float* factors, float* sums, float* to, int64_t stride) {
  for (int64_t panel = 0; panel < sizes.width_panels(); ++panel) {
    const uint32_t* keys = pairs.get() + (panel * sizes.key_panels() + strip.first_panel) * kStepWords;
    multiply_tiles(left, keys, strip.panels, false, sums);
    const int64_t first = panel * kStrip;
    put_tiles(sums, strip.count, std::min(kStrip, sizes.width - first), factors, to + first, stride);
  }
}

/// to [S,K] from its transpose in tiles, [panels of the width][panels of keys].
ASSAY_AMX void put_turned(const AttentionSizes& sizes, const float* tiles, float* to, int64_t stride) {
  for (int64_t w = 0; w < sizes.width; w += kTileRows) {
    for (int64_t key = 0; key < sizes.keys; key += kTileRows) {
      const float* tile = tiles + (w / kStrip * sizes.key_panels() + key / kStrip) * kSumsOfTiles +
                          row_of_tiles(w % kStrip) + key % kStrip / kTileRows * kTileWords;
      SquareWords words[kTurned];
      for (int64_t i = 0; i < kTurned; ++i) __builtin_memcpy(&words[i], tile + i * kTileRows, sizeof(SquareWords));
      turn_words(words);
      for (int64_t i = 0; i < std::min(kTileRows, sizes.keys - key); ++i) {
        _mm512_mask_storeu_epi32(to + (key + i) * stride + w, first_lanes(sizes.width - w),
                                 reinterpret_cast<__m512i>(words[i]));
      }
    }
  }
}

struct Bf16Attention {
  AttentionSizes sizes;
  at::Tensor q, k, v, first;  // bf16 [B,T,H,K], [B,S,H_kv,K]
  at::Tensor log_sums;        // float32 [B,H,T]

  at::Tensor forward() const {
    const at::Tensor z = at::empty(q.sizes(), at::TensorOptions().dtype(at::kFloat));
    share_tasks(sizes.examples * sizes.groups,
                [&](int64_t task) { forward_group(task / sizes.groups, task % sizes.groups, z); });
    return z;
  }

  std::vector<at::Tensor> backward(const at::Tensor& gradient) const {
    const at::TensorOptions options = at::TensorOptions().dtype(at::kFloat);
    const at::Tensor dz = to_bf16(gradient.transpose(1, 2)).contiguous();
    const at::Tensor dq = at::empty(q.sizes(), options), dk = at::empty(k.sizes(), options),
                     dv = at::empty(v.sizes(), options);
    share_tasks(sizes.examples * sizes.groups,
                [&](int64_t task) { backward_group(task / sizes.groups, task % sizes.groups, dz, dq, dk, dv); });
    return {dq.transpose(1, 2), dk.transpose(1, 2), dv.transpose(1, 2)};
  }

 private:
  [[nodiscard]] float* log_sums_of(int64_t example, int64_t head) const {
    return log_sums.data_ptr<float>() + (example * sizes.heads + head) * sizes.queries;
  }

  ASSAY_AMX void forward_group(int64_t example, int64_t group, const at::Tensor& z) const {
    const AmxTiles tiles;
    const Bf16Heads Q(q), K(k), V(v);
    const HeadsView<float> Z(z);
    const AlignedWords keys = packed_turned(rows_of(K, example, 0, group, sizes.keys));
    const AlignedWords values = packed_pairs(rows_of(V, example, 0, group, sizes.keys));
    const AlignedWords rows(packed_words(kStrip, sizes.width)), scores(sizes.key_panels() * kSumsOfTiles);
    const AlignedWords shares(sizes.key_panels() * kStepWords), sums(kSumsOfTiles);
    const int64_t each = sizes.heads / sizes.groups;
    for (int64_t head = group * each; head < (group + 1) * each; ++head) {
      float* log_sum = log_sums_of(example, head);
      for (int64_t query = 0; query < sizes.queries; query += kStrip) {
        const QueryStrip strip(sizes, example, query);
        pack_strips(rows_of(Q, example, query, head, strip.count), AmxSide::Left, 0, 1, rows.get());
        multiply_keys(sizes, strip, rows.get(), keys, scores.floats());
        float factors[kStrip];
        for (int64_t i = 0; i < kStrip; ++i) {
          const SoftmaxOfRow row = softmax_of_row(scores.floats(), i, strip.panels, strip.seen(sizes, example, i),
                                                  sizes.scale, shares.get());
          if (i >= strip.count) continue;
          log_sum[query + i] = row.level + std::log(row.sum);
          factors[i] = 1 / row.sum;
        }
        put_mixture(sizes, strip, shares.get(), values, factors, sums.floats(), Z.at(example, query, head),
                    Z.row_stride);
      }
    }
  }

  /// What the queries of a group's heads add to its keys and values, turned: [panels of the width][panels of keys].
  struct KeySums {
    AlignedWords keys, values;
    explicit KeySums(const AttentionSizes& sizes) : keys(words(sizes)), values(words(sizes)) {
      std::fill_n(keys.floats(), words(sizes), 0.0F);
      std::fill_n(values.floats(), words(sizes), 0.0F);
    }
    static int64_t words(const AttentionSizes& sizes) {
      return sizes.width_panels() * sizes.key_panels() * kSumsOfTiles;
    }
  };

  ASSAY_AMX void backward_group(int64_t example, int64_t group, const at::Tensor& dz, const at::Tensor& dq,
                                const at::Tensor& dk, const at::Tensor& dv) const {
    const AmxTiles tiles;
    const Bf16Heads Q(q), K(k), V(v), DZ(dz);
    const HeadsView<float> DQ(dq), DK(dk), DV(dv);
    const AlignedWords keys = packed_turned(rows_of(K, example, 0, group, sizes.keys));
    const AlignedWords key_pairs = packed_pairs(rows_of(K, example, 0, group, sizes.keys));
    const AlignedWords values = packed_turned(rows_of(V, example, 0, group, sizes.keys));
    const int64_t panels = sizes.key_panels(), joined_words = panels * kStripsTogether * kStepWords;
    const AlignedWords rows(packed_words(kStrip, sizes.width)), slope_rows(packed_words(kStrip, sizes.width));
    const AlignedWords scores(panels * kSumsOfTiles), slopes(panels * kSumsOfTiles), sums(kSumsOfTiles);
    const AlignedWords changes(panels * kStepWords), joined_shares(joined_words), joined_changes(joined_words);
    const AlignedWords turned(packed_words(sizes.width, kStripsTogether * kStrip));
    const KeySums found(sizes);
    const bool centers = !ASSAY_TWIN("kernel.bf16_attention_slope_not_centred");
    const int64_t each = sizes.heads / sizes.groups, block = kStripsTogether * kStrip;
    for (int64_t head = group * each; head < (group + 1) * each; ++head) {
      for (int64_t first_query = 0; first_query < sizes.queries; first_query += block) {
        const int64_t count = std::min(block, sizes.queries - first_query), steps = strips_of(count);
        const QueryStrip begin(sizes, example, first_query), end(sizes, example, first_query + (steps - 1) * kStrip);
        const int64_t first_panel = begin.first_panel, block_panels = end.first_panel + end.panels - first_panel;
        for (int64_t step = 0; step < steps; ++step) {
          const QueryStrip strip(sizes, example, first_query + step * kStrip);
          pack_strips(rows_of(Q, example, strip.query, head, strip.count), AmxSide::Left, 0, 1, rows.get());
          pack_strips(rows_of(DZ, example, strip.query, head, strip.count), AmxSide::Left, 0, 1, slope_rows.get());
          multiply_keys(sizes, strip, rows.get(), keys, scores.floats());
          multiply_keys(sizes, strip, slope_rows.get(), values, slopes.floats());
          const int64_t skipped = strip.first_panel - first_panel, panel_words = kStripsTogether * kStepWords;
          const int64_t place = skipped * panel_words + step * kStepWords;
          const RowPairPlaces to{changes.get(), joined_shares.get() + place, joined_changes.get() + place, panel_words};
          for (int64_t i = 0; i < kStrip; i += 2) {
            float means[2];
            for (int64_t j = 0; j < 2; ++j) {
              const SeenKeys seen = strip.seen(sizes, example, i + j);
              const float log_sum = i + j < strip.count ? log_sums_of(example, head)[strip.query + i + j] : 0;
              means[j] =
                  shares_of_row(scores.floats(), slopes.floats(), i + j, strip.panels, seen, sizes.scale, log_sum);
              if (!centers) means[j] = 0;
            }
            changes_of_rows(scores.floats(), slopes.floats(), i, strip.panels, means, sizes.scale, to);
          }
          for (int64_t panel = 0; panel < block_panels; ++panel) {  // that others of the block see
            if (panel >= skipped && panel < skipped + strip.panels) continue;
            const int64_t unseen = panel * panel_words + step * kStepWords;
            std::fill_n(joined_shares.get() + unseen, kStepWords, 0U);
            std::fill_n(joined_changes.get() + unseen, kStepWords, 0U);
          }
          put_mixture(sizes, strip, changes.get(), key_pairs, nullptr, sums.floats(), DQ.at(example, strip.query, head),
                      DQ.row_stride);
        }
        const auto add_turned = [&](const Bf16Heads& from, const AlignedWords& joined, const AlignedWords& to) {
          pack_strips(rows_of(from, example, first_query, head, count).transposed(), AmxSide::Left, 0,
                      sizes.width_panels(), turned.get());
          add_products(turned.get(), joined.get(), steps, first_panel, block_panels, to.floats());
        };
        add_turned(DZ, joined_shares, found.values);
        add_turned(Q, joined_changes, found.keys);
      }
    }
    put_turned(sizes, found.keys.floats(), DK.at(example, 0, group), DK.row_stride);
    put_turned(sizes, found.values.floats(), DV.at(example, 0, group), DV.row_stride);
  }

  /// Tiles of the sums += rowsᵀ [K, queries] · joined [queries, keys].
  ASSAY_AMX void add_products(const uint32_t* turned, const uint32_t* joined, int64_t steps, int64_t first_panel,
                              int64_t panels, float* sums) const {
    for (int64_t w = 0; w < sizes.width_panels(); ++w) {
      for (int64_t panel = 0; panel < panels; ++panel) {
        multiply_tiles(turned + w * steps * kStepWords, joined + panel * kStripsTogether * kStepWords, steps, true,
                       sums + (w * sizes.key_panels() + first_panel + panel) * kSumsOfTiles);
      }
    }
  }
};

}  // namespace

bool is_bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto fits = [](const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0; };
  return fits(q) && fits(k) && fits(v) && q.size(2) >= kFewQueries && has_amx();
}

at::Tensor bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionRule& rule) {
  Bf16Attention run;
  at::Tensor z;
  {
    const at::NoGradGuard no_history;
    const auto rounded = [](const at::Tensor& x) { return to_bf16(x.transpose(1, 2)).contiguous(); };
    run.q = rounded(q);
    run.k = rounded(k);
    run.v = rounded(v);
    if (rule.first.defined()) run.first = rule.first.contiguous();
    run.sizes = {.examples = q.size(0),
                 .heads = q.size(1),
                 .groups = k.size(1),
                 .queries = q.size(2),
                 .keys = k.size(2),
                 .width = q.size(3),
                 .scale = static_cast<float>(rule.scale),
                 .window = rule.window,
                 .first = run.first.defined() ? run.first.const_data_ptr<int64_t>() : nullptr};
    run.log_sums = at::empty({q.size(0), q.size(1), q.size(2)}, at::TensorOptions().dtype(at::kFloat));
    z = run.forward().transpose(1, 2);
  }
  return attach_backward(z, {q, k, v}, [run](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    return run.backward(gradient);
  });
}

#else
bool is_bf16_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  return false;
}
at::Tensor bf16_attention(const at::Tensor&, const at::Tensor&, const at::Tensor&, const AttentionRule&) {
  ASSAY_ASSERT(has_amx());
  return {};
}
#endif

}  // namespace assay::kernel
