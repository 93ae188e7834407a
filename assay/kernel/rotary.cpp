#include "assay/kernel/rotary.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <numbers>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

struct RotarySizes {
  int64_t positions, heads, width, half;                 // of a head's `width` numbers the first 2 · half turn
  int64_t example_stride, position_stride, head_stride;  // of x; the output is packed
  int64_t example_angles;                                // from one row's table to the next: 0 where they share one
};

// The heads of one position. `turn` is the sign of the angle.
template <typename L, typename Number>
ASSAY_INLINE void rotary_position(const Number* x, const RotarySizes& sizes, const Number* cosine, const Number* sine,
                                  Number turn, Number* output) {
  const int64_t half = sizes.half;
  L first, second, c, s, rotated;
  for (int64_t i = 0; i < half; i += L::kCount) {
    const int64_t count = half - i;
    c.load(cosine + i, count);
    s.load(sine + i, count);
    s.values *= turn;
    for (int64_t head = 0; head < sizes.heads; ++head) {
      const Number* from = x + head * sizes.head_stride + i;
      Number* to = output + head * sizes.width + i;
      first.load(from, count);
      second.load(from + half, count);
      rotated.values = first.values * c.values - second.values * s.values;
      rotated.store(to, count);
      rotated.values = second.values * c.values + first.values * s.values;
      rotated.store(to + half, count);
    }
  }
  const int64_t rest = sizes.width - 2 * half;
  for (int64_t head = 0; rest > 0 && head < sizes.heads; ++head) {
    std::copy_n(x + head * sizes.head_stride + 2 * half, rest, output + head * sizes.width + 2 * half);
  }
}

// The places begin .. end - 1 of B·T.
struct RotaryKernel {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* x, const RotarySizes* sizes, const Number* cosine, const Number* sine,
                               Number turn, int64_t begin, int64_t end, Number* output) {
    const int64_t half = sizes->half;
    const bool narrow = half < Lanes<Number, kBytes>::kCount;  // heads of 8 numbers fill 16 bytes of float32, no more
    for (int64_t place = begin; place < end; ++place) {
      const int64_t example = place / sizes->positions, position = place % sizes->positions;
      const Number* from = x + example * sizes->example_stride + position * sizes->position_stride;
      const int64_t angles = example * sizes->example_angles + position * half;
      const Number *c = cosine + angles, *s = sine + angles;
      Number* to = output + place * sizes->heads * sizes->width;
      if (narrow) {
        rotary_position<Lanes<Number, 16>>(from, *sizes, c, s, turn, to);
      } else {
        rotary_position<Lanes<Number, kBytes>>(from, *sizes, c, s, turn, to);
      }
    }
  }
};

template <typename Number>
void rotary_fused(const at::Tensor& x, const RotaryTable& table, double turn, const at::Tensor& output) {
  const int64_t half = table.cosine.size(-1);
  const bool shared = table.cosine.dim() == 2 || ASSAY_TWIN("kernel.rotary_first_rows_table");
  const RotarySizes sizes{x.size(1),   x.size(2),   x.size(3),   half,
                          x.stride(0), x.stride(1), x.stride(2), shared ? 0 : x.size(1) * half};
  const Number *from = x.const_data_ptr<Number>(), *cosine = table.cosine.const_data_ptr<Number>();
  const Number* sine = table.sine.const_data_ptr<Number>();
  Number* to = output.data_ptr<Number>();
  const int64_t grain = std::max<int64_t>(1, kChunkOfLanes / (x.size(2) * x.size(3)));
  at::parallel_for(0, x.size(0) * x.size(1), grain, [&](int64_t begin, int64_t end) {
    on_widest_lanes<RotaryKernel>(from, &sizes, cosine, sine, static_cast<Number>(turn), begin, end, to);
  });
}

at::Tensor rotary_turned(const at::Tensor& x, const RotaryTable& table, double turn) {
  const at::NoGradGuard no_history;
  const at::Tensor from = x.stride(3) == 1 ? x.detach() : x.detach().contiguous();
  at::Tensor output = at::empty(from.sizes(), from.options());
  (from.scalar_type() == at::kDouble ? rotary_fused<double> : rotary_fused<float>)(from, table, turn, output);
  return output;
}

bool rotary_is_fused(const at::Tensor& x, const RotaryTable& table) {
  const auto fits = [&](const at::Tensor& t) {
    const bool for_rows = t.dim() == 3 && t.size(0) == x.size(0);
    return t.is_cpu() && t.scalar_type() == x.scalar_type() && !t.requires_grad() && (t.dim() == 2 || for_rows) &&
           t.size(-2) == x.size(1) && t.size(-1) * 2 <= x.size(3);
  };
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return known && x.is_cpu() && x.dim() == 4 && x.numel() > 0 && fits(table.cosine) &&
         table.sine.sizes() == table.cosine.sizes() && fits(table.sine);
}

}  // namespace

at::Tensor rotary_frequencies(int64_t width, double base) {
  ASSAY_ASSERT(width > 0 && width % 2 == 0 && base > 0);
  const auto options = at::TensorOptions().dtype(at::kDouble);
  return at::pow(base, at::arange(0, width, 2, options).div(-static_cast<double>(width)));
}

at::Tensor llama3_scaled(const at::Tensor& frequencies, double factor, double low, double high, double original) {
  ASSAY_ASSERT(factor > 0 && low > 0 && low < high && original > 0);
  const at::Tensor turns = frequencies.mul(original / (2 * std::numbers::pi));  // in the original context
  const at::Tensor kept = turns.sub(low).div(high - low).clamp(0, 1);
  if (ASSAY_TWIN("kernel.llama3_without_ramp"))
    return frequencies.mul(kept.ge(0.5)).add(frequencies.div(factor).mul(kept.lt(0.5)));
  return frequencies.mul(kept).add(frequencies.div(factor).mul(kept.neg().add(1)));
}

RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies, at::ScalarType dtype) {
  ASSAY_ASSERT(positions.dim() <= 2 && frequencies.dim() == 1 && frequencies.scalar_type() == at::kDouble);
  const at::Tensor angle = positions.to(at::kDouble).unsqueeze(-1).mul(frequencies);
  return {angle.cos().to(dtype), angle.sin().to(dtype)};
}

RotaryTable rotary_table(int64_t first, int64_t positions, int64_t width, double base, at::ScalarType dtype) {
  return rotary_table(at::arange(first, first + positions, at::kLong), rotary_frequencies(width, base), dtype);
}

at::Tensor rotate_heads_plain(const at::Tensor& x, const RotaryTable& table) {
  const int64_t half = table.cosine.size(-1);
  const at::Tensor first = x.narrow(3, 0, half), second = x.narrow(3, half, half);
  const at::Tensor cosine = table.cosine.unsqueeze(-2), sine = table.sine.unsqueeze(-2);  // [T,1,R/2] or [B,T,1,R/2]
  return at::cat({first.mul(cosine).sub(second.mul(sine)), second.mul(cosine).add(first.mul(sine)),
                  x.narrow(3, 2 * half, x.size(3) - 2 * half)},
                 3);
}

at::Tensor rotate_heads(const at::Tensor& x, const RotaryTable& table) {
  if (ASSAY_TWIN("kernel.rotary_adjacent_pairs")) {
    const int64_t turned = 2 * table.cosine.size(-1);
    const at::Tensor even = x.slice(3, 0, turned, 2), odd = x.slice(3, 1, turned, 2);
    const at::Tensor c = table.cosine.unsqueeze(-2), s = table.sine.unsqueeze(-2);
    const at::Tensor pairs = at::stack({even.mul(c).sub(odd.mul(s)), odd.mul(c).add(even.mul(s))}, 4).flatten(3);
    return at::cat({pairs, x.narrow(3, turned, x.size(3) - turned)}, 3);
  }
  if (!rotary_is_fused(x, table)) return rotate_heads_plain(x, table);
  const RotaryTable held{table.cosine.contiguous(), table.sine.contiguous()};
  return attach_backward(rotary_turned(x, held, 1), {x}, [held](const at::Tensor& gradient) {
    const double turn = ASSAY_TWIN("kernel.rotary_backward_forward_angle") ? 1 : -1;
    return std::vector<at::Tensor>{rotary_turned(gradient, held, turn)};
  });
}

}  // namespace assay::kernel
