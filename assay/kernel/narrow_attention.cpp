#include "assay/kernel/narrow_attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"

// The library is built for any x86-64; these functions are compiled once more for each wider register, and the program
// picks at its start. clang 14 accepts levels too, but then picks without asking the processor. Sanitizers are not yet
// running when the choice is made.
#if !defined(__x86_64__) || !defined(__linux__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ASSAY_NARROW_CLONES
#elif !defined(__clang__)
#define ASSAY_NARROW_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define ASSAY_NARROW_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define ASSAY_NARROW_CLONES
#endif
// Loops over sums are unrolled, because an index that varies would keep the sums out of the registers. Helpers are
// inlined by force, because one left outside would keep to narrow registers; vectors go by reference, because passing
// them by value differs between processors.
#define ASSAY_NARROW_INLINE __attribute__((always_inline)) inline
#ifdef __clang__
#define ASSAY_NARROW_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ASSAY_NARROW_UNROLL _Pragma("GCC unroll 16")
#endif

namespace assay::kernel {
namespace {

constexpr int64_t kNarrowWidest = 16;
constexpr int64_t kNarrowSums = 16;                 // sums held in registers: two rows of width 8 or one of width 16
constexpr int64_t kNarrowGrain = int64_t{1} << 16;  // multiply-adds that are worth another thread

// Sixty-four bytes of numbers, one key a lane, and whole numbers of the same size.
template <typename Number>
struct NarrowVector;
template <>
struct NarrowVector<float> {
  typedef float Lanes __attribute__((vector_size(64)));
  typedef int32_t Whole __attribute__((vector_size(64)));
  static constexpr Whole kPlaces = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};
template <>
struct NarrowVector<double> {
  typedef double Lanes __attribute__((vector_size(64)));
  typedef int64_t Whole __attribute__((vector_size(64)));
  static constexpr Whole kPlaces = {0, 1, 2, 3, 4, 5, 6, 7};
};
template <typename Number>
using NarrowLanes = typename NarrowVector<Number>::Lanes;
template <typename Number>
constexpr int64_t kNarrowLanes = 64 / static_cast<int64_t>(sizeof(Number));

template <typename Number>
constexpr auto kNarrowTaylor = [] {  // of 2^x: log(2)^i / i!
  std::array<Number, 14> terms{};
  double term = 1;
  for (int i = 0; i < 14; ++i) {
    terms[static_cast<size_t>(i)] = static_cast<Number>(term);
    term *= std::numbers::ln2 / (i + 1);
  }
  return terms;
}();

template <typename Number>
struct NarrowView {
  Number* data;
  int64_t batch, head, row, column;
  ASSAY_NARROW_INLINE Number* at(int64_t b, int64_t h, int64_t t) const {
    return data + b * batch + h * head + t * row;
  }
};

template <typename Number>
struct NarrowTask {
  int64_t positions, width, group;
  NarrowView<const Number> q, k, v;
  NarrowView<Number> out, levels;  // written by the forward pass, read by the backward; levels: log2 Σ exp, column 0
  NarrowView<const Number> gradient;
  NarrowView<Number> q_gradient, k_gradient, v_gradient;
  int64_t ahead = 0;
  bool with_delta = true;
  Number scale() const { return static_cast<Number>(1.0 / std::sqrt(static_cast<double>(width))); }
  int64_t blocks() const { return (positions + kNarrowLanes<Number> - 1) / kNarrowLanes<Number>; }
  int64_t padded_width() const { return width <= 8 ? 8 : 16; }
};

// 2^x for x <= 0 (or above by rounding). The sum with 1.5 · 2^23 (2^52 in float64) rounds x to the whole number that is
// left in the low bits; the rest, at most a half, goes through Taylor's polynomial, whose remainder is less than a
// tenth of the rounding. Results below the smallest normal number are 0; NaN stays NaN.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_exp2(NarrowLanes<Number>& x) {
  using Lanes = NarrowLanes<Number>;
  using Whole = typename NarrowVector<Number>::Whole;
  constexpr int kDigits = std::numeric_limits<Number>::digits - 1;
  constexpr size_t kDegree = sizeof(Number) == 4 ? 7 : 13;
  constexpr Number kRound = static_cast<Number>(int64_t{3} << (kDigits - 1));
  constexpr Number kSmallest = static_cast<Number>(std::numeric_limits<Number>::min_exponent);
  const Lanes shifted = x + kRound;
  const Lanes rest = x - (shifted - kRound);
  Lanes power = rest * kNarrowTaylor<Number>[kDegree] + kNarrowTaylor<Number>[kDegree - 1];
  ASSAY_NARROW_UNROLL
  for (size_t i = 2; i <= kDegree; ++i) power = power * rest + kNarrowTaylor<Number>[kDegree - i];
  const Whole scaled = __builtin_bit_cast(Whole, power) + (__builtin_bit_cast(Whole, shifted) << kDigits);
  x = x < kSmallest ? Lanes{} : __builtin_bit_cast(Lanes, scaled);
}

// -infinity where the key lies after the last allowed place of this block.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_mask(NarrowLanes<Number>& scores, int64_t last) {
  using Element = std::conditional_t<sizeof(Number) == 4, int32_t, int64_t>;
  const NarrowLanes<Number> never = NarrowLanes<Number>{} - std::numeric_limits<Number>::infinity();
  scores = NarrowVector<Number>::kPlaces > static_cast<Element>(last) ? never : scores;
}

ASSAY_NARROW_INLINE void narrow_interleave(const NarrowLanes<float>& a, const NarrowLanes<float>& b,
                                           NarrowLanes<float>& low, NarrowLanes<float>& high) {
  low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
ASSAY_NARROW_INLINE void narrow_interleave(const NarrowLanes<double>& a, const NarrowLanes<double>& b,
                                           NarrowLanes<double>& low, NarrowLanes<double>& high) {
  low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// Sums (or maxima) over the lanes of kCount vectors together: each step halves the vectors and interleaves two of them.
// Afterwards terms[0] holds that of vector i in lane i · kRest, where kCount · kRest is the number of lanes.
template <int kCount, int kRest, bool kMaximum, typename Lanes>
ASSAY_NARROW_INLINE void narrow_reduce(Lanes* terms) {
  if constexpr (kCount > 1 || kRest > 1) {
    constexpr int kLeft = kCount > 1 ? kCount / 2 : 1, kNext = kCount > 1 ? kRest : kRest / 2;
    ASSAY_NARROW_UNROLL
    for (int i = 0; i < kLeft; ++i) {
      Lanes low, high;
      narrow_interleave(terms[i], terms[kCount > 1 ? i + kLeft : i], low, high);
      if constexpr (kMaximum) {
        terms[i] = low > high ? low : high;
      } else {
        terms[i] = low + high;
      }
    }
    narrow_reduce<kLeft, kNext, kMaximum>(terms);
  }
}

// The sum over the lanes of each of kNarrowSums vectors; totals is aligned as they are.
template <typename Number>
ASSAY_NARROW_INLINE void narrow_totals(NarrowLanes<Number>* sums, Number* totals) {
  constexpr int kAtOnce = static_cast<int>(kNarrowLanes<Number>);
  ASSAY_NARROW_UNROLL
  for (int first = 0; first < kNarrowSums; first += kAtOnce) {
    narrow_reduce<kAtOnce, 1, false>(sums + first);
    *reinterpret_cast<NarrowLanes<Number>*>(totals + first) = sums[first];
  }
}

// A head's rows into blocks [blocks][kWidth][lanes], zero beyond its width and its positions; and such sums back.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_gather(const NarrowTask<Number>& task, const NarrowView<const Number>& view, int64_t b,
                                       int64_t h, NarrowLanes<Number>* blocks) {
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  for (int64_t i = 0; i < task.blocks() * kWidth; ++i) blocks[i] = NarrowLanes<Number>{};
  Number* numbers = reinterpret_cast<Number*>(blocks);
  for (int64_t t = 0; t < task.positions; ++t) {
    const Number* row = view.at(b, h, t);
    Number* place = numbers + t / kLanes * kLanes * kWidth + t % kLanes;
    for (int64_t d = 0; d < task.width; ++d) place[d * kLanes] = row[d * view.column];
  }
}
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_scatter(const NarrowTask<Number>& task, const NarrowView<Number>& view, int64_t b,
                                        int64_t h, const NarrowLanes<Number>* blocks, Number factor) {
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  const Number* numbers = reinterpret_cast<const Number*>(blocks);
  for (int64_t t = 0; t < task.positions; ++t) {
    Number* row = view.at(b, h, t);
    const Number* place = numbers + t / kLanes * kLanes * kWidth + t % kLanes;
    for (int64_t d = 0; d < task.width; ++d) row[d * view.column] = place[d * kLanes] * factor;
  }
}

// One key-value head, forward. Rows t, t + 1, .. of a step share every load of a key and a value; a row beyond the last
// is a query of zeros whose result is not written. Scores count in powers of two, log2(e) lies in the scaled queries.
template <int kWidth, typename Number>
ASSAY_NARROW_INLINE void narrow_forward(const NarrowTask<Number>& task, int64_t b, int64_t g,
                                        NarrowLanes<Number>* scratch) {
  using Lanes = NarrowLanes<Number>;
  constexpr int64_t kLanes = kNarrowLanes<Number>;
  constexpr int kRows = kNarrowSums / kWidth, kRest = static_cast<int>(kLanes) / kRows;
  const Number scale = task.scale() * std::numbers::log2e_v<Number>;
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
      const int64_t used = std::min(t + kRows - 1 + task.ahead, task.positions - 1) / kLanes + 1;
      Lanes highest[kRows], totals[kRows] = {}, sums[kNarrowSums] = {};
      ASSAY_NARROW_UNROLL
      for (int r = 0; r < kRows; ++r) highest[r] = Lanes{} - std::numeric_limits<Number>::infinity();
      for (int64_t block = 0; block < used; ++block) {
        const Lanes* key = keys + block * kWidth;
        ASSAY_NARROW_UNROLL
        for (int r = 0; r < kRows; ++r) {
          Lanes score = key[0] * query[r * kWidth];
          ASSAY_NARROW_UNROLL
          for (int d = 1; d < kWidth; ++d) score += key[d] * query[r * kWidth + d];
          const int64_t last = std::min(t + r + task.ahead, task.positions - 1);
          narrow_mask<Number>(score, last - block * kLanes);
          scores[block * kRows + r] = score;
          highest[r] = score > highest[r] ? score : highest[r];
        }
      }
      narrow_reduce<kRows, kRest, true>(highest);
      ASSAY_NARROW_UNROLL
      for (int r = 0; r < kRows; ++r) top[r] = highest[0][r * kRest];
      for (int64_t block = 0; block < used; ++block) {
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
  const Number scale = task.scale() * std::numbers::log2e_v<Number>;
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
      const int64_t used = std::min(t + kRows, task.positions) - 1;
      Lanes sums[kNarrowSums] = {};
      for (int64_t block = 0; block <= used / kLanes; ++block) {
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
          narrow_mask<Number>(p[r], std::min(t + r, used) - block * kLanes);
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
          row[d * task.q_gradient.column] = result[r * kWidth + d] * task.scale();
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

at::Tensor narrow_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const bool single = q.scalar_type() == at::kFloat;
  const at::Tensor levels = at::empty({q.size(0), q.size(1), q.size(2)}, q.options().requires_grad(false));
  const at::Tensor out = narrow_like(q);
  const NarrowSaved saved{q.detach(), k.detach(), v.detach(), out.detach(), levels};
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
