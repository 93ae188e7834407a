#include "assay/kernel/rotary.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stack.h>

#include "assay/core/twin.h"

namespace assay::kernel {

RotaryTable rotary_table(int64_t first, int64_t positions, int64_t head_width, double base, at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor frequency =
      at::pow(base, at::arange(0, head_width, 2, options).div(-static_cast<double>(head_width)));
  const at::Tensor angle = at::outer(at::arange(first, first + positions, options), frequency);
  return {angle.cos().to(dtype), angle.sin().to(dtype)};
}

at::Tensor rotate_heads(const at::Tensor& x, const RotaryTable& table) {
  if (ASSAY_TWIN("kernel.rotary_adjacent_pairs")) {
    const at::Tensor even = x.slice(3, 0, x.size(3), 2), odd = x.slice(3, 1, x.size(3), 2);
    const at::Tensor c = table.cosine.unsqueeze(1), s = table.sine.unsqueeze(1);
    return at::stack({even.mul(c).sub(odd.mul(s)), odd.mul(c).add(even.mul(s))}, 4).flatten(3);
  }
  const int64_t half = x.size(3) / 2;
  const at::Tensor first = x.narrow(3, 0, half), second = x.narrow(3, half, half);
  const at::Tensor cosine = table.cosine.unsqueeze(1), sine = table.sine.unsqueeze(1);  // [T,1,K/2]
  return at::cat({first.mul(cosine).sub(second.mul(sine)), second.mul(cosine).add(first.mul(sine))}, 3);
}

}  // namespace assay::kernel
