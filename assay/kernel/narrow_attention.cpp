#include "assay/kernel/narrow_attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/narrow_lanes.h"

namespace assay::kernel {
namespace {

// The keys that each of the rows t, t + 1, .. sees, and the blocks in which they all lie; others are skipped. A later
// row never sees an earlier key first.
template <int kRows, typename Number>
struct NarrowReach {
  int64_t first[kRows], last[kRows], begin, end;
  ASSAY_NARROW_INLINE NarrowReach(const NarrowTask<Number>& task, int64_t b, int64_t t) {
    ASSAY_NARROW_UNROLL
    for (int r = 0; r < kRows; ++r) {
      first[r] = task.first_key(b, t + r);
      last[r] = task.last_key(t + r);
    }
    begin = first[0] / kNarrowLanes<Number>;
    end = last[kRows - 1] / kNarrowLanes<Number> + 1;
  }
};

// One key-value head, forward. Rows t, t + 1, .. of a step share every load of a key and a value; a row beyond the last
// is a query of zeros whose result is not written. Scores count in powers of two, log2(e) lies in the scaled queries.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_forward(const NarrowTask<Number>& task, int64_t b, int64_t g,
                                        NarrowLanes<Number>* scratch) {
  using Lanes = NarrowLanes<Number>;
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  constexpr int kRows = kNarrowSums / kWidth, kRest = static_cast<int>(kLanes) / kRows;
  const Number scale = task.scale * std::numbers::log2e_v<Number>;
  Lanes* keys = scratch;
  Lanes* values = keys + task.blocks() * kWidth;
  Lanes* scores = values + task.blocks() * kWidth;
  narrow_gather<kWidth>(task, task.k, b, g, keys);
  narrow_gather<kWidth>(task, task.v, b, g, values);
  for (int64_t h = g * task.group; h < (g + 1) * task.group; ++h) {
    for (int64_t t = 0; t < task.positions; t += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, task.positions - t);
      Number query[kNarrowSums] = {}, top[kRows], total[kRows];
      alignas(64) Number result[kNarrowSums];
      for (int64_t r = 0; r < rows; ++r) {
        const Number* row = task.q.at(b, h, t + r);
        for (int64_t d = 0; d < task.width; ++d) query[r * kWidth + d] = row[d * task.q.column] * scale;
      }
      const NarrowReach<kRows, Number> reach(task, b, t);
      Lanes highest[kRows], totals[kRows] = {}, sums[kNarrowSums] = {};
      ASSAY_NARROW_UNROLL
      for (int r = 0; r < kRows; ++r) highest[r] = Lanes{} - std::numeric_limits<Number>::infinity();
      for (int64_t block = reach.begin; block < reach.end; ++block) {
        const Lanes* key = keys + block * kWidth;
        ASSAY_NARROW_UNROLL
        for (int r = 0; r < kRows; ++r) {
          Lanes score = key[0] * query[r * kWidth];
          ASSAY_NARROW_UNROLL
          for (int d = 1; d < kWidth; ++d) score += key[d] * query[r * kWidth + d];
          narrow_mask<Number>(score, reach.first[r] - block * kLanes, reach.last[r] - block * kLanes);
          scores[block * kRows + r] = score;
          highest[r] = score > highest[r] ? score : highest[r];
        }
      }
      narrow_reduce<kRows, kRest, true>(highest);
      ASSAY_NARROW_UNROLL
      for (int r = 0; r < kRows; ++r) top[r] = highest[0][r * kRest];
      for (int64_t block = reach.begin; block < reach.end; ++block) {
        const Lanes* value = values + block * kWidth;
        ASSAY_NARROW_UNROLL
        for (int r = 0; r < kRows; ++r) {
          Lanes p = scores[block * kRows + r] - top[r];
          narrow_exp2<Number>(p);
          totals[r] += p;
          ASSAY_NARROW_UNROLL
          for (int d = 0; d < kWidth; ++d) sums[r * kWidth + d] += p * value[d];
        }
      }
      narrow_reduce<kRows, kRest, false>(totals);
      ASSAY_NARROW_UNROLL
      for (int r = 0; r < kRows; ++r) total[r] = totals[0][r * kRest];
      narrow_totals<Number>(sums, result);
      for (int64_t r = 0; r < rows; ++r) {
        Number* row = task.out.at(b, h, t + r);
        for (int64_t d = 0; d < task.width; ++d) row[d * task.out.column] = result[r * kWidth + d] / total[r];
        *task.levels.at(b, h, t + r) = top[r] + std::log2(total[r]);
      }
    }
  }
}

// One key-value head, backward: the sums of its keys' and values' gradients stay in the scratch while all query heads
// of the group pass over them.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_backward(const NarrowTask<Number>& task, int64_t b, int64_t g,
                                         NarrowLanes<Number>* scratch) {
  using Lanes = NarrowLanes<Number>;
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  constexpr int kRows = kNarrowSums / kWidth;
  const Number scale = task.scale * std::numbers::log2e_v<Number>;
  Lanes* keys = scratch;
  Lanes* values = keys + task.blocks() * kWidth;
  Lanes* key_sums = values + task.blocks() * kWidth;
  Lanes* value_sums = key_sums + task.blocks() * kWidth;
  narrow_gather<kWidth>(task, task.k, b, g, keys);
  narrow_gather<kWidth>(task, task.v, b, g, values);
  for (int64_t i = 0; i < 2 * task.blocks() * kWidth; ++i) key_sums[i] = Lanes{};
  for (int64_t h = g * task.group; h < (g + 1) * task.group; ++h) {
    for (int64_t t = 0; t < task.positions; t += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, task.positions - t);
      Number query[kNarrowSums] = {}, slope[kNarrowSums] = {}, level[kRows] = {}, delta[kRows] = {};
      alignas(64) Number result[kNarrowSums];
      for (int64_t r = 0; r < rows; ++r) {
        const Number *row = task.q.at(b, h, t + r), *out = task.out.at(b, h, t + r);
        const Number* gradient = task.gradient.at(b, h, t + r);
        level[r] = *task.levels.at(b, h, t + r);
        for (int64_t d = 0; d < task.width; ++d) {
          query[r * kWidth + d] = row[d * task.q.column] * scale;
          slope[r * kWidth + d] = gradient[d * task.gradient.column];
          if (task.with_delta) delta[r] += slope[r * kWidth + d] * out[d * task.out.column];
        }
      }
      const NarrowReach<kRows, Number> reach(task, b, t);
      Lanes sums[kNarrowSums] = {};
      for (int64_t block = reach.begin; block < reach.end; ++block) {
        const Lanes *key = keys + block * kWidth, *value = values + block * kWidth;
        Lanes *key_sum = key_sums + block * kWidth, *value_sum = value_sums + block * kWidth;
        Lanes p[kRows], score_slope[kRows];
        ASSAY_NARROW_UNROLL
        for (int r = 0; r < kRows; ++r) {
          p[r] = key[0] * query[r * kWidth];
          score_slope[r] = value[0] * slope[r * kWidth] - delta[r];
          ASSAY_NARROW_UNROLL
          for (int d = 1; d < kWidth; ++d) {
            p[r] += key[d] * query[r * kWidth + d];
            score_slope[r] += value[d] * slope[r * kWidth + d];
          }
          p[r] -= level[r];
          narrow_mask<Number>(p[r], reach.first[r] - block * kLanes, reach.last[r] - block * kLanes);
          narrow_exp2<Number>(p[r]);
          score_slope[r] *= p[r];
        }
        ASSAY_NARROW_UNROLL
        for (int d = 0; d < kWidth; ++d) {
          Lanes key_total = key_sum[d], value_total = value_sum[d];
          ASSAY_NARROW_UNROLL
          for (int r = 0; r < kRows; ++r) {
            sums[r * kWidth + d] += score_slope[r] * key[d];
            key_total += score_slope[r] * query[r * kWidth + d];
            value_total += p[r] * slope[r * kWidth + d];
          }
          key_sum[d] = key_total;
          value_sum[d] = value_total;
        }
      }
      narrow_totals<Number>(sums, result);
      for (int64_t r = 0; r < rows; ++r) {
        Number* row = task.q_gradient.at(b, h, t + r);
        for (int64_t d = 0; d < task.width; ++d) {
          row[d * task.q_gradient.column] = result[r * kWidth + d] * task.scale;
        }
      }
    }
  }
  narrow_scatter<kWidth>(task, task.k_gradient, b, g, key_sums, std::numbers::ln2_v<Number>);  // queries hold log2(e)
  narrow_scatter<kWidth>(task, task.v_gradient, b, g, value_sums, Number{1});
}

template <typename Number>
ASSAY_NARROW_INLINE void narrow_pass(const NarrowTask<Number>& task, bool backward, int64_t b, int64_t g,
                                     NarrowLanes<Number>* scratch) {
  if (task.padded_width() == 8) {
    backward ? narrow_backward<8>(task, b, g, scratch) : narrow_forward<8>(task, b, g, scratch);
  } else {
    backward ? narrow_backward<16>(task, b, g, scratch) : narrow_forward<16>(task, b, g, scratch);
  }
}
ASSAY_NARROW_CLONES void narrow_run(const NarrowTask<float>& task, bool backward, int64_t b, int64_t g,
                                    NarrowLanes<float>* scratch) {
  narrow_pass(task, backward, b, g, scratch);
}
ASSAY_NARROW_CLONES void narrow_run(const NarrowTask<double>& task, bool backward, int64_t b, int64_t g,
                                    NarrowLanes<double>* scratch) {
  narrow_pass(task, backward, b, g, scratch);
}

template <typename Number>
void narrow_all(const NarrowTask<Number>& task, bool backward, const at::Tensor& k) {
  const int64_t groups = k.size(1), numbers = (4 * task.padded_width() + 2) * task.blocks() * kNarrowLanes<Number>;
  const int64_t work = task.positions * task.positions * task.group * task.padded_width();
  at::parallel_for(0, k.size(0) * groups, std::max<int64_t>(1, kNarrowGrain / work), [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_history;                                                   // the guard belongs to a thread
    const at::Tensor scratch = at::empty({numbers}, k.options().requires_grad(false));  // ATen aligns to 64 bytes
    auto* lanes = reinterpret_cast<NarrowLanes<Number>*>(scratch.mutable_data_ptr<Number>());
    for (int64_t place = begin; place < end; ++place) narrow_run(task, backward, place / groups, place % groups, lanes);
  });
}

template <typename Number>
NarrowView<Number> narrow_view(const at::Tensor& x) {
  const int64_t column = x.dim() > 3 ? x.stride(3) : 0;
  if constexpr (std::is_const_v<Number>) {
    return {x.const_data_ptr<std::remove_const_t<Number>>(), x.stride(0), x.stride(1), x.stride(2), column};
  } else {
    return {x.mutable_data_ptr<Number>(), x.stride(0), x.stride(1), x.stride(2), column};
  }
}

at::Tensor narrow_like(const at::Tensor& x) {  // [B,H,T,K] stored as [B,T,H,K], as the caller puts heads side by side
  return at::empty({x.size(0), x.size(2), x.size(1), x.size(3)}, x.options().requires_grad(false)).transpose(1, 2);
}

struct NarrowSaved {
  at::Tensor q, k, v, out, levels;
  AttentionRule rule;
};

template <typename Number>
NarrowTask<Number> narrow_task(const NarrowSaved& saved) {
  NarrowTask<Number> task{};
  task.positions = saved.q.size(2);
  task.width = saved.q.size(3);
  task.group = saved.q.size(1) / saved.k.size(1);
  task.q = narrow_view<const Number>(saved.q);
  task.k = narrow_view<const Number>(saved.k);
  task.v = narrow_view<const Number>(saved.v);
  task.out = narrow_view<Number>(saved.out);
  task.levels = narrow_view<Number>(saved.levels);
  task.scale = static_cast<Number>(saved.rule.scale);
  task.window = saved.rule.window > 0 ? saved.rule.window : task.positions;
  task.first = saved.rule.first.defined() ? saved.rule.first.const_data_ptr<int64_t>() : nullptr;
  return task;
}

template <typename Number>
void narrow_fill(const NarrowSaved& saved) {
  NarrowTask<Number> task = narrow_task<Number>(saved);
  task.ahead = ASSAY_TWIN("kernel.narrow_attention_sees_ahead") ? 1 : 0;
  narrow_all(task, /*backward=*/false, saved.k);
}

template <typename Number>
std::vector<at::Tensor> narrow_gradients(const NarrowSaved& saved, const at::Tensor& gradient) {
  std::vector<at::Tensor> gradients = {narrow_like(saved.q), narrow_like(saved.k), narrow_like(saved.v)};
  NarrowTask<Number> task = narrow_task<Number>(saved);
  task.with_delta = !ASSAY_TWIN("kernel.narrow_backward_without_delta");
  if (ASSAY_TWIN("kernel.narrow_backward_without_window")) task.window = task.positions;
  task.gradient = narrow_view<const Number>(gradient);
  task.q_gradient = narrow_view<Number>(gradients[0]);
  task.k_gradient = narrow_view<Number>(gradients[1]);
  task.v_gradient = narrow_view<Number>(gradients[2]);
  narrow_all(task, /*backward=*/true, saved.k);
  return gradients;
}

}  // namespace

bool is_narrow_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const auto plain = [&](const at::Tensor& x) {
    return x.is_cpu() && x.layout() == at::kStrided && x.dim() == 4 && x.scalar_type() == q.scalar_type();
  };
  return plain(q) && plain(k) && plain(v) && (q.scalar_type() == at::kFloat || q.scalar_type() == at::kDouble) &&
         q.numel() > 0 && k.numel() > 0 && q.size(3) <= kNarrowWidest && q.size(0) == k.size(0) &&
         q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2) && q.size(3) == k.size(3) && k.sizes() == v.sizes();
}

at::Tensor narrow_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, AttentionRule rule) {
  const bool single = q.scalar_type() == at::kFloat;
  const at::Tensor levels = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().requires_grad(false));
  const at::Tensor out = narrow_like(q);
  if (rule.first.defined()) rule.first = rule.first.cpu().contiguous();
  const NarrowSaved saved{q.detach(), k.detach(), v.detach(), out.detach(), levels, std::move(rule)};
  single ? narrow_fill<float>(saved) : narrow_fill<double>(saved);
  const std::array<bool, 3> wanted = {q.requires_grad(), k.requires_grad(), v.requires_grad()};
  return attach_backward(out, {q, k, v}, [saved, single, wanted](const at::Tensor& gradient) {
    auto gradients = single ? narrow_gradients<float>(saved, gradient) : narrow_gradients<double>(saved, gradient);
    for (size_t i = 0; i < 3; ++i) {
      if (!wanted[i]) gradients[i].reset();
    }
    return gradients;
  });
}

}  // namespace assay::kernel

#undef ASSAY_NARROW_CLONES
#undef ASSAY_NARROW_INLINE
#undef ASSAY_NARROW_UNROLL
