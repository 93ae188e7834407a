#include "assay/kernel/rotary.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

// The heads of one position, `stride` apart in x and packed in the output. `turn` is the sign of the angle.
template <typename L, typename Number>
ASSAY_INLINE void rotary_position(const Number* x, int64_t stride, const Number* cosine, const Number* sine,
                                  Number turn, int64_t heads, int64_t half, Number* output) {
  L first, second, c, s, rotated;
  for (int64_t i = 0; i < half; i += L::kCount) {
    const int64_t count = half - i;
    c.load(cosine + i, count);
    s.load(sine + i, count);
    s.values *= turn;
    for (int64_t head = 0; head < heads; ++head) {
      const Number* from = x + head * stride + i;
      Number* to = output + head * 2 * half + i;
      first.load(from, count);
      second.load(from + half, count);
      rotated.values = first.values * c.values - second.values * s.values;
      rotated.store(to, count);
      rotated.values = second.values * c.values + first.values * s.values;
      rotated.store(to + half, count);
    }
  }
}

struct RotarySizes {
  int64_t positions, heads, half;
  int64_t example_stride, position_stride, head_stride;  // of x; the output is packed
};

// The places begin .. end - 1 of B·T.
struct RotaryKernel {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* x, const RotarySizes* sizes, const Number* cosine, const Number* sine,
                               Number turn, int64_t begin, int64_t end, Number* output) {
    const int64_t half = sizes->half, heads = sizes->heads;
    const bool narrow = half < Lanes<Number, kBytes>::kCount;  // heads of 8 numbers fill 16 bytes of float32, no more
    for (int64_t place = begin; place < end; ++place) {
      const int64_t example = place / sizes->positions, position = place % sizes->positions;
      const Number* from = x + example * sizes->example_stride + position * sizes->position_stride;
      const Number *c = cosine + position * half, *s = sine + position * half;
      Number* to = output + place * heads * 2 * half;
      if (narrow) {
        rotary_position<Lanes<Number, 16>>(from, sizes->head_stride, c, s, turn, heads, half, to);
      } else {
        rotary_position<Lanes<Number, kBytes>>(from, sizes->head_stride, c, s, turn, heads, half, to);
      }
    }
  }
};

template <typename Number>
void rotary_fused(const at::Tensor& x, const RotaryTable& table, double turn, const at::Tensor& output) {
  const RotarySizes sizes{x.size(1), x.size(2), x.size(3) / 2, x.stride(0), x.stride(1), x.stride(2)};
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
    return t.is_cpu() && t.scalar_type() == x.scalar_type() && !t.requires_grad() && t.dim() == 2 &&
           t.size(0) == x.size(1) && t.size(1) * 2 == x.size(3);
  };
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return known && x.is_cpu() && x.dim() == 4 && x.numel() > 0 && fits(table.cosine) && fits(table.sine);
}

}  // namespace

RotaryTable rotary_table(int64_t first, int64_t positions, int64_t head_width, double base, at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor frequency =
      at::pow(base, at::arange(0, head_width, 2, options).div(-static_cast<double>(head_width)));
  const at::Tensor angle = at::outer(at::arange(first, first + positions, options), frequency);
  return {angle.cos().to(dtype), angle.sin().to(dtype)};
}

at::Tensor rotate_heads_plain(const at::Tensor& x, const RotaryTable& table) {
  const int64_t half = x.size(3) / 2;
  const at::Tensor first = x.narrow(3, 0, half), second = x.narrow(3, half, half);
  const at::Tensor cosine = table.cosine.unsqueeze(1), sine = table.sine.unsqueeze(1);  // [T,1,K/2]
  return at::cat({first.mul(cosine).sub(second.mul(sine)), second.mul(cosine).add(first.mul(sine))}, 3);
}

at::Tensor rotate_heads(const at::Tensor& x, const RotaryTable& table) {
  if (ASSAY_TWIN("kernel.rotary_adjacent_pairs")) {
    const at::Tensor even = x.slice(3, 0, x.size(3), 2), odd = x.slice(3, 1, x.size(3), 2);
    const at::Tensor c = table.cosine.unsqueeze(1), s = table.sine.unsqueeze(1);
    return at::stack({even.mul(c).sub(odd.mul(s)), odd.mul(c).add(even.mul(s))}, 4).flatten(3);
  }
  if (!rotary_is_fused(x, table)) return rotate_heads_plain(x, table);
  const RotaryTable held{table.cosine.contiguous(), table.sine.contiguous()};
  return attach_backward(rotary_turned(x, held, 1), {x}, [held](const at::Tensor& gradient) {
    const double turn = ASSAY_TWIN("kernel.rotary_backward_forward_angle") ? 1 : -1;
    return std::vector<at::Tensor>{rotary_turned(gradient, held, turn)};
  });
}

}  // namespace assay::kernel
