#include "assay/kernel/head_softmax.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/lane_exponential.h"
#include "assay/kernel/products.h"
#include "assay/kernel/softmax_row.h"

namespace assay::kernel {
namespace {

constexpr int64_t kBlock = 4096;  // of the vocabulary: the logits of a row are still in the innermost cache
constexpr double kFarAbove = 60;  // e^60 times a vocabulary is far below the largest float, in bf16 too

template <int kBytes>
ASSAY_INLINE void keep(const Lanes<float, kBytes>& x, float* to, int64_t count) {
  x.store(to, count);
}
template <int kBytes>
ASSAY_INLINE void keep(const Lanes<double, kBytes>& x, double* to, int64_t count) {
  x.store(to, count);
}
/// x becomes what is kept of it.
template <int kBytes>
ASSAY_INLINE void keep(Lanes<float, kBytes>& x, at::BFloat16* to, int64_t count) {
  store_rounded(x, to, count);
  const auto bits = rounded_bits(x);
  __builtin_memcpy(&x.values, &bits.values, kBytes);
}

// One block of a row. `level`, `sum` and `kept_sum` are the row's so far; `to` may be `x` itself, and follows what was
// kept of the blocks before it.
struct ExponentialsOfRow {
  template <int kBytes, typename Number, typename Kept>
  static ASSAY_INLINE void run(const Number* x, int64_t count, int64_t before, Kept* to, Number* level, Number* sum,
                               Number* kept_sum) {
    using L = Lanes<Number, kBytes>;
    const Number largest = largest_of_row<kBytes>(x, count), none = -std::numeric_limits<Number>::infinity();
    if (largest == none &&
        !ASSAY_TWIN("kernel.softmax_of_nothing")) {  // nothing but -inf and NaN, of which the latter must be felt
      for (int64_t i = 0; i < count; ++i) {
        const Number e = std::isnan(x[i]) ? x[i] : 0;
        *sum += e;
        *kept_sum += e;
        to[i] = static_cast<Kept>(e);
      }
      if (before == 0) *level = none;
      return;
    }
    if (before == 0) *level = largest;
    if (largest > *level + static_cast<Number>(kFarAbove) && !ASSAY_TWIN("kernel.softmax_level_never_moves")) {
      const Number share = std::exp(*level - largest);
      Number again = 0;
      for (Kept* kept = to - before; kept < to; ++kept) {
        *kept = static_cast<Kept>(static_cast<Number>(*kept) * share);
        again += static_cast<Number>(*kept);
      }
      *sum *= share;
      *kept_sum = again;
      *level = largest;
    }
    const Number base = *level;
    L sums{}, kept_sums{};
    Number rest = 0, kept_rest = 0;
    by_lanes<L>(count, [&](int64_t i, auto lanes) ASSAY_INLINE_LAMBDA {
      L e;
      e.load(x + i, lanes);
      e.values -= base;
      exponentiate(e);
      L kept = e;
      keep(kept, to + i, lanes);
      if (lanes >= L::kCount) {
        sums.values += e.values;
        kept_sums.values += kept.values;
      } else {
        for (int64_t k = 0; k < lanes; ++k) {  // beyond the row lanes hold e^-level
          rest += e.values[k];
          kept_rest += kept.values[k];
        }
      }
    });
    *sum += sums.sum() + rest;
    *kept_sum += kept_sums.sum() + kept_rest;
  }
};

template <typename Number, typename Kept>
HeadSoftmax softmax_by_blocks(const at::Tensor& rows, const at::Tensor& head) {
  constexpr bool kInPlace = std::is_same_v<Number, Kept>;
  const int64_t count = rows.size(0), classes = head.size(0);
  const at::TensorOptions numbers = at::TensorOptions().dtype(c10::CppTypeToScalarType<Number>::value);
  const HeadSoftmax found{.exponentials = at::empty({count, classes}, head.options()),
                          .levels = at::empty({count}, numbers),
                          .sums = at::zeros({count}, numbers),
                          .kept_sums = at::zeros({count}, numbers)};
  const at::Tensor scratch = kInPlace ? at::Tensor() : at::empty({count, std::min(kBlock, classes)}, numbers);
  auto* kept = found.exponentials.data_ptr<Kept>();
  Number *levels = found.levels.data_ptr<Number>(), *sums = found.sums.data_ptr<Number>();
  Number* kept_sums = found.kept_sums.data_ptr<Number>();
  for (int64_t first = 0; first < classes; first += kBlock) {
    const int64_t width = std::min(kBlock, classes - first);
    const at::Tensor logits = (kInPlace ? found.exponentials.narrow(1, first, width) : scratch.narrow(1, 0, width));
    put_product(logits, rows, head.narrow(0, first, width).t());
    const Number* from = logits.const_data_ptr<Number>();
    const int64_t stride = logits.stride(0);
    at::parallel_for(0, count, std::max<int64_t>(1, kChunkOfLanes / width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        on_widest_lanes<ExponentialsOfRow>(from + row * stride, width, first, kept + row * classes + first,
                                           levels + row, sums + row, kept_sums + row);
      }
    });
  }
  return found;
}

}  // namespace

bool has_head_softmax(const at::Tensor& rows, const at::Tensor& head) {
  const at::ScalarType type = head.scalar_type();
  return head.is_cpu() && rows.is_cpu() && rows.scalar_type() == type && rows.numel() > 0 &&
         (type == at::kFloat || type == at::kDouble || type == at::kBFloat16);
}

HeadSoftmax head_softmax(const at::Tensor& rows, const at::Tensor& head) {
  ASSAY_ASSERT(has_head_softmax(rows, head) && rows.dim() == 2 && rows.size(1) == head.size(1));
  const at::NoGradGuard no_history;
  switch (head.scalar_type()) {
    case at::kFloat: return softmax_by_blocks<float, float>(rows.detach(), head.detach());
    case at::kDouble: return softmax_by_blocks<double, double>(rows.detach(), head.detach());
    default: return softmax_by_blocks<float, at::BFloat16>(rows.detach(), head.detach());
  }
}

}  // namespace assay::kernel
