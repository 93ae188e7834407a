#include "assay/kernel/rotary.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/pow.h>

namespace assay::kernel {

RotaryTable rotary_table(int64_t first, int64_t positions, int64_t head_width, double base, at::ScalarType dtype) {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const at::Tensor frequency = at::pow(base, at::arange(0, head_width, 2, options).div(-static_cast<double>(head_width)));
  const at::Tensor angle = at::outer(at::arange(first, first + positions, options), frequency);
  return {angle.cos().to(dtype), angle.sin().to(dtype)};
}

at::Tensor rotate_heads(const at::Tensor& x, const RotaryTable& table) {
  const int64_t half = x.size(3) / 2;
  const at::Tensor first = x.narrow(3, 0, half), second = x.narrow(3, half, half);
  const at::Tensor cosine = table.cosine.unsqueeze(1), sine = table.sine.unsqueeze(1);  // [T,1,K/2]
  return at::cat({first.mul(cosine).sub(second.mul(sine)), second.mul(cosine).add(first.mul(sine))}, 3);
}

}  // namespace assay::kernel
