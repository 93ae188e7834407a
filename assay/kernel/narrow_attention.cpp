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
#include "assay/kernel/lanes.h"
#include "assay/kernel/narrow_lanes.h"

namespace assay::kernel {
namespace {

// Queries t, t + 1, .. one a lane, and the keys that they see: all of them those from `all_first` to `all_last`, some
// of them those from `begin` to before `end`. A later query never sees an earlier key first.
template <typename Number>
struct NarrowReach {
  NarrowLanes<Number>* limits;  // first keys, last keys; whole numbers would be compared one by one
  int64_t begin, end, all_first, all_last;
  ASSAY_NARROW_INLINE NarrowReach(const NarrowTask<Number>& task, int64_t b, int64_t t, NarrowLanes<Number>* place)
      : limits(place) {
    Number* keys = reinterpret_cast<Number*>(place);
    constexpr int64_t kLanes = kNarrowLanes<Number>;
    const int64_t latest = task.positions - 1;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const int64_t query = std::min(t + lane, latest);
      keys[lane] = static_cast<Number>(task.first_key(b, query));
      keys[kLanes + lane] = static_cast<Number>(task.last_key(query));
    }
    begin = task.first_key(b, t);
    all_first = task.first_key(b, std::min(t + kLanes - 1, latest));
    all_last = task.last_key(t);
    end = task.last_key(std::min(t + kLanes - 1, latest)) + 1;
  }
  ASSAY_NARROW_INLINE bool all_see(int64_t block) const {
    return block * kNarrowLanes<Number> >= all_first && (block + 1) * kNarrowLanes<Number> <= all_last + 1;
  }
  // -infinity where a query does not see this key.
  ASSAY_NARROW_INLINE void hide(int64_t key, NarrowLanes<Number>& score) const {
    // By way of a bound: of two choices between the same two vectors g++ makes one, number by number.
    const Number infinity = std::numeric_limits<Number>::infinity();
    const NarrowLanes<Number> place = NarrowLanes<Number>{} + static_cast<Number>(key);
    const NarrowLanes<Number> always = NarrowLanes<Number>{} + infinity, never = NarrowLanes<Number>{} - infinity;
    const NarrowLanes<Number> bound = limits[1] < place ? never : always;
    score = bound < score ? bound : score;
    if (key < all_first) score = limits[0] > place ? never : score;
  }
};

// Scores of one block of keys, and the highest so far.
template <int kWidth, bool kAllSee, typename Number>
ASSAY_NARROW_INLINE void narrow_scores(const NarrowReach<Number>& reach, const Number* keys,
                                       const NarrowLanes<Number>* query, int64_t block, NarrowLanes<Number>* scores,
                                       NarrowLanes<Number>& highest) {
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  for (int64_t j = block * kLanes; j < (block + 1) * kLanes; ++j) {
    const Number* key = keys + j * kWidth;
    NarrowLanes<Number> score = query[0] * key[0];
    ASSAY_NARROW_UNROLL
    for (int d = 1; d < kWidth; ++d) score += query[d] * key[d];
    if constexpr (!kAllSee) reach.hide(j, score);
    scores[j] = score;
    highest = score > highest ? score : highest;
  }
}

// One key-value head, forward: scores first, then exponentials less the highest of each query. Scores count in powers
// of two, log2(e) lies in the scaled queries.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_forward(const NarrowTask<Number>& task, int64_t b, int64_t g,
                                        NarrowLanes<Number>* scratch) {
  using Lanes = NarrowLanes<Number>;
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  const Number scale = task.scale * std::numbers::log2e_v<Number>;
  Lanes *limits = scratch, *scores = limits + 2;
  Number* keys = reinterpret_cast<Number*>(scores + task.blocks() * kLanes);
  Number* values = keys + task.blocks() * kLanes * kWidth;
  narrow_rows<kWidth>(task, task.k, b, g, keys);
  narrow_rows<kWidth>(task, task.v, b, g, values);
  for (int64_t h = g * task.group; h < (g + 1) * task.group; ++h) {
    for (int64_t t = 0; t < task.positions; t += kLanes) {
      const NarrowReach<Number> reach(task, b, t, limits);
      const int64_t first_block = reach.begin / kLanes, last_block = (reach.end - 1) / kLanes;
      Lanes query[kWidth], sums[kWidth] = {}, total = {}, highest = Lanes{} - std::numeric_limits<Number>::infinity();
      narrow_gather<kWidth>(task, task.q, b, h, t, scale, query);
      for (int64_t block = first_block; block <= last_block; ++block) {
        if (reach.all_see(block)) {
          narrow_scores<kWidth, true>(reach, keys, query, block, scores, highest);
        } else {
          narrow_scores<kWidth, false>(reach, keys, query, block, scores, highest);
        }
      }
      for (int64_t j = first_block * kLanes; j < (last_block + 1) * kLanes; ++j) {
        const Number* value = values + j * kWidth;
        Lanes p = scores[j] - highest;
        narrow_exp2<Number>(p);
        total += p;
        ASSAY_NARROW_UNROLL
        for (int d = 0; d < kWidth; ++d) sums[d] += p * value[d];
      }
      const Lanes share = Number{1} / total;
      ASSAY_NARROW_UNROLL
      for (int d = 0; d < kWidth; ++d) sums[d] *= share;
      narrow_scatter<kWidth>(task, task.out, b, h, t, sums);
      for (int64_t r = 0; r < std::min(kLanes, task.positions - t); ++r) {
        *task.levels.at(b, h, t + r) = highest[r] + std::log2(total[r]);
      }
    }
  }
}

// What a block of queries brings to the backward pass, and what it takes home.
template <int kWidth, typename Number>
struct NarrowQueries {
  NarrowLanes<Number> query[kWidth], slope[kWidth], sums[kWidth] = {}, level, delta = {};
};

// p and the slope of the score for one block of keys, side by side: pairs[key][query] = {p, ds}.
template <int kWidth, bool kAllSee, typename Number>
ASSAY_NARROW_INLINE void narrow_pairs(const NarrowReach<Number>& reach, const Number* keys, const Number* values,
                                      int64_t block, NarrowQueries<kWidth, Number>& queries, NarrowLanes<Number>* pairs,
                                      bool is_wide) {
  using Lanes = NarrowLanes<Number>;
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  NarrowQueries<kWidth, Number> at = queries;  // in registers
  for (int64_t j = block * kLanes; j < (block + 1) * kLanes; ++j) {
    const Number *key = keys + j * kWidth, *value = values + j * kWidth;
    Lanes p = at.query[0] * key[0] - at.level, slope = at.slope[0] * value[0] - at.delta;
    ASSAY_NARROW_UNROLL
    for (int d = 1; d < kWidth; ++d) {
      p += at.query[d] * key[d];
      slope += at.slope[d] * value[d];
    }
    if constexpr (!kAllSee) reach.hide(j, p);
    narrow_exp2<Number>(p);
    slope *= p;
    ASSAY_NARROW_UNROLL
    for (int d = 0; d < kWidth; ++d) at.sums[d] += slope * key[d];
    if (is_wide) {
      narrow_interleave(p, slope, pairs[0], pairs[1]);
    } else {
      narrow_interleave_halves<Number>(p, slope, pairs);
    }
    pairs += 2;
  }
  ASSAY_NARROW_UNROLL
  for (int d = 0; d < kWidth; ++d) queries.sums[d] = at.sums[d];
}

// total[key] += Σ_query {p, ds}[key][query] · {slope, query}[query], pair by pair, over one block of queries and of
// keys.
template <int kWidth, int kBytes, typename Number>
ASSAY_NARROW_INLINE void narrow_key_sums(const Number* pairs, const Number* rows, Number* totals) {
  using Vector = Lanes<Number, kBytes>;
  constexpr int64_t kLanes = kNarrowLanes<Number>, kCount = Vector::kCount;
  constexpr int64_t kRow = 2 * kWidth / kCount;                                         // vectors of a key
  constexpr int64_t kKeys = std::min<int64_t>((kBytes == 64 ? 16 : 8) / kRow, kLanes);  // whose sums the registers hold
  for (int64_t first = 0; first < kLanes; first += kKeys) {
    Number* total = totals + first * 2 * kWidth;
    Vector sums[kKeys * kRow], row[kRow], both;
    ASSAY_NARROW_UNROLL
    for (int i = 0; i < kKeys * kRow; ++i) sums[i].load(total + i * kCount, kCount);
    for (int64_t r = 0; r < kLanes; ++r) {
      ASSAY_NARROW_UNROLL
      for (int i = 0; i < kRow; ++i) row[i].load(rows + r * 2 * kWidth + i * kCount, kCount);
      ASSAY_NARROW_UNROLL
      for (int j = 0; j < kKeys; ++j) {
        narrow_spread<kBytes>(pairs + 2 * ((first + j) * kLanes + r), both);
        ASSAY_NARROW_UNROLL
        for (int i = 0; i < kRow; ++i) sums[j * kRow + i].values += both.values * row[i].values;
      }
    }
    ASSAY_NARROW_UNROLL
    for (int i = 0; i < kKeys * kRow; ++i) sums[i].store(total + i * kCount, kCount);
  }
}

// One key-value head, backward: the sums of its keys' and values' gradients stay in the scratch while all query heads
// of the group pass over them, dv and dk of a key side by side as p and ds are: one product brings both.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_backward(const NarrowTask<Number>& task, int64_t b, int64_t g,
                                         NarrowLanes<Number>* scratch) {
  using Lanes = NarrowLanes<Number>;
  constexpr int64_t kLanes = kNarrowLanes<Number>, kRow = 2 * kWidth / kLanes;  // vectors of dv and dk of a key
  const Number scale = task.scale * std::numbers::log2e_v<Number>;
  Lanes* limits = scratch;
  Lanes* pairs = limits + 2;             // [key][query], two numbers each
  Lanes* rows = pairs + 2 * kLanes;      // [query][kRow]: slope and query, number by number
  Lanes* totals = rows + kLanes * kRow;  // [key][kRow]
  Number* keys = reinterpret_cast<Number*>(totals + task.blocks() * kLanes * kRow);
  Number* values = keys + task.blocks() * kLanes * kWidth;
  narrow_rows<kWidth>(task, task.k, b, g, keys);
  narrow_rows<kWidth>(task, task.v, b, g, values);
  for (int64_t i = 0; i < task.blocks() * kLanes * kRow; ++i) totals[i] = Lanes{};
  for (int64_t h = g * task.group; h < (g + 1) * task.group; ++h) {
    for (int64_t t = 0; t < task.positions; t += kLanes) {
      const NarrowReach<Number> reach(task, b, t, limits);
      NarrowQueries<kWidth, Number> queries;
      narrow_gather<kWidth>(task, task.q, b, h, t, scale, queries.query);
      narrow_gather<kWidth>(task, task.gradient, b, h, t, Number{1}, queries.slope);
      narrow_gather<kWidth>(task, task.out, b, h, t, Number{1}, queries.sums);
      Number* row = reinterpret_cast<Number*>(rows);
      for (int64_t r = 0; r < kLanes; ++r) {
        queries.level[r] =
            t + r < task.positions ? *task.levels.at(b, h, t + r) : std::numeric_limits<Number>::infinity();
        for (int d = 0; d < kWidth; ++d) {
          *row++ = queries.slope[d][r];
          *row++ = queries.query[d][r];
        }
      }
      ASSAY_NARROW_UNROLL
      for (int d = 0; d < kWidth; ++d) {
        if (task.with_delta) queries.delta += queries.slope[d] * queries.sums[d];
        queries.sums[d] = Lanes{};
      }
      for (int64_t block = reach.begin / kLanes; block <= (reach.end - 1) / kLanes; ++block) {
        if (reach.all_see(block)) {
          narrow_pairs<kWidth, true>(reach, keys, values, block, queries, pairs, task.is_wide);
        } else {
          narrow_pairs<kWidth, false>(reach, keys, values, block, queries, pairs, task.is_wide);
        }
        Number* total = reinterpret_cast<Number*>(totals + block * kLanes * kRow);
        const auto* pair = reinterpret_cast<const Number*>(pairs);
        const auto* row_of_first = reinterpret_cast<const Number*>(rows);
        if (task.is_wide) {
          narrow_key_sums<kWidth, 64>(pair, row_of_first, total);
        } else {
          narrow_key_sums<kWidth, 32>(pair, row_of_first, total);
        }
      }
      ASSAY_NARROW_UNROLL
      for (int d = 0; d < kWidth; ++d) queries.sums[d] *= task.scale;
      narrow_scatter<kWidth>(task, task.q_gradient, b, h, t, queries.sums);
    }
  }
  const Number* total = reinterpret_cast<const Number*>(totals);
  for (int64_t j = 0; j < task.positions; ++j, total += 2 * kWidth) {
    Number *v_row = task.v_gradient.at(b, g, j), *k_row = task.k_gradient.at(b, g, j);
    for (int64_t d = 0; d < task.width; ++d) {
      v_row[d * task.v_gradient.column] = total[2 * d];
      k_row[d * task.k_gradient.column] = total[2 * d + 1] * std::numbers::ln2_v<Number>;  // queries hold log2(e)
    }
  }
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
  const int64_t groups = k.size(1), lanes_each = kNarrowLanes<Number>, rows = task.blocks() * lanes_each;
  // Keys, values and, backward, the sums of both; forward a vector of scores for each key.
  const int64_t numbers =
      rows * (4 * task.padded_width() + lanes_each) + (2 * lanes_each + 2 * kNarrowWidest + 2) * lanes_each;
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
#if defined(__x86_64__)
  task.is_wide = widest_lanes() == 64;
#endif
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
