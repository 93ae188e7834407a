#include "assay/kernel/products.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/bf16_product.h"
#include "assay/kernel/bf16_rounding.h"

namespace assay::kernel {
namespace {

constexpr double kWorthAllThreads = 1e7;  // multiply-adds of one product beside which starting the threads is nothing

bool is_of_bf16(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == at::kBFloat16 || b.scalar_type() == at::kBFloat16;
}

}  // namespace

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  return is_of_bf16(a, b) ? bf16_product(a, b) : a.matmul(b);
}

at::Tensor batched_product(const at::Tensor& a, const at::Tensor& b) {
  if (!is_of_bf16(a, b)) return at::bmm(a, b);
  const int64_t count = a.size(0), rows = a.size(1), depth = a.size(2), columns = b.size(2);
  const at::Tensor left = to_bf16(a), right = to_bf16(b);
  const at::Tensor result = at::empty({count, rows, columns}, at::TensorOptions().dtype(at::kFloat));
  const auto each = [&](int64_t begin, int64_t end) {
    const at::NoGradGuard no_history;  // the guard belongs to a thread
    for (int64_t i = begin; i < end; ++i) put_bf16_product(result.select(0, i), left.select(0, i), right.select(0, i));
  };
  const bool is_large = static_cast<double>(rows) * static_cast<double>(depth * columns) > kWorthAllThreads;
  is_large ? each(0, count) : at::parallel_for(0, count, 1, each);
  return result;
}

void add_product(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  is_of_bf16(a, b) ? add_bf16_product(sum, a, b) : static_cast<void>(sum.addmm_(a, b));
}

void put_product(const at::Tensor& result, const at::Tensor& a, const at::Tensor& b) {
  if (is_of_bf16(a, b)) return put_bf16_product(result, a, b);
  at::Tensor place = result;
  at::mm_out(place, a, b);
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& rounded) {
  if (weight.scalar_type() != at::kBFloat16) return at::linear(x, weight, bias);
  const at::Tensor input = rounded.defined() ? rounded : to_bf16(x);
  const at::Tensor factor = weight.detach();
  const at::Tensor output = bf16_product(input, factor.t(), bias.defined() ? bias.detach() : bias);
  const bool x_wanted = x.requires_grad(), weight_wanted = weight.requires_grad();
  const bool bias_wanted = bias.defined() && bias.requires_grad();
  const auto backward = [=](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    const at::Tensor g = to_bf16(gradient);
    const bool is_mistaken = ASSAY_TWIN("kernel.bf16_linear_transposed") && factor.size(0) == factor.size(1);
    at::Tensor to_x, to_weight, to_bias;
    if (x_wanted) to_x = bf16_product(g, is_mistaken ? factor.t() : factor);
    if (weight_wanted) to_weight = bf16_product(g.flatten(0, -2).t(), input.flatten(0, -2)).to(at::kBFloat16);
    if (bias_wanted) to_bias = gradient.flatten(0, -2).sum(0);
    return std::vector<at::Tensor>{to_x, to_weight, to_bias};
  };
  return attach_backward(output, {x, weight, bias}, backward);
}

}  // namespace assay::kernel
