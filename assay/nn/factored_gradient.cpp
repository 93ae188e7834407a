#include "assay/nn/factored_gradient.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "assay/core/twin.h"
#include "assay/kernel/example_tiles.h"
#include "assay/kernel/narrow_projection.h"
#include "assay/kernel/product_sums.h"
#include "assay/kernel/products.h"

namespace assay::nn {
namespace {

// Multiply-adds of the two orders of <u_q, D_i> for Q queries: D_i first, or u_q a_t first.
bool dense_is_cheaper(const FactoredGradient& pair, int64_t queries) {
  const double batch = static_cast<double>(pair.batch()), positions = static_cast<double>(pair.positions());
  const double size = static_cast<double>(pair.rows() * pair.columns()), count = static_cast<double>(queries);
  const double dense = batch * positions * size + count * batch * size;
  const double narrow = static_cast<double>(std::min(pair.rows(), pair.columns()));
  return dense <= count * batch * positions * (size + narrow);
}

constexpr int64_t kManyQueries = 32;  // from here on the products with D_i, not reading it, take the time

}  // namespace

int64_t FactoredGradient::real_positions() const {
  return mask.defined() ? mask.sum().item<int64_t>() : batch() * positions();
}

at::Tensor FactoredGradient::masked_input() const {
  return mask.defined() && !ASSAY_TWIN("nn.padding_unmasked") ? input.mul(mask.unsqueeze(2)) : input;
}

at::Tensor FactoredGradient::activations() const {
  at::Tensor a = input;
  if (has_bias) a = at::cat({a, at::ones({batch(), positions(), 1}, a.options())}, 2);
  if (mask.defined() && !ASSAY_TWIN("nn.padding_unmasked")) a = a.mul(mask.unsqueeze(2));
  return a;
}

at::Tensor FactoredGradient::dense() const {
  return kernel::batched_product(output_gradient.transpose(1, 2), activations());
}

at::Tensor FactoredGradient::dot(const at::Tensor& queries) const {
  const int64_t count = queries.size(0);
  if (queries.scalar_type() == at::kFloat && kernel::avoids_whole_gradients(output_gradient, input, count)) {
    if (kernel::tiles_pay(positions(), count)) return kernel::QueryTiles(queries).dot(output_gradient, activations());
    return dot_per_token(queries).sum(2);
  }
  if (!dense_is_cheaper(*this, count)) return dot_per_token(queries).sum(2);
  if (is_bf16() && has_bias) {  // apart, for the sake of even rows: worth a copy of the questions
    FactoredGradient inputs = *this;
    inputs.input = masked_input();
    inputs.has_bias = false;
    inputs.mask.reset();
    const at::Tensor of_bias = output_gradient.sum(1, /*keepdim=*/false, queries.scalar_type());
    return inputs.dot(queries.narrow(2, 0, input.size(2)))
        .add_(queries.select(2, input.size(2)).matmul(of_bias.t()), ASSAY_TWIN("nn.dot_without_bias") ? 0 : 1);
  }
  // Few queries wait for memory, where rounding D_i first would only be a further pass.
  const at::Tensor u = is_bf16() && count >= kManyQueries ? queries.to(at::kBFloat16) : queries;
  return kernel::product(u.flatten(1), dense().flatten(1).t());
}

at::Tensor FactoredGradient::dot_per_token(const at::Tensor& queries) const {
  const int64_t count = queries.size(0);
  const at::Tensor a = activations().flatten(0, 1), g = output_gradient.flatten(0, 1);  // [BT,M], [BT,O]
  at::Tensor result = at::zeros({count, batch() * positions()}, queries.options());
  for (int64_t q = 0; q < count; ++q) {
    const at::Tensor u = queries.select(0, q);  // [O,M]
    result.select(0, q).copy_(rows() <= columns() ? kernel::product(a, u.t()).mul(g).sum(1)
                                                  : kernel::product(g, u).mul(a).sum(1));
  }
  return result.view({count, batch(), positions()});
}

at::Tensor FactoredGradient::squared_norm() const {
  // Σ_{t,s} (a_t·a_s)(g_t·g_s) where the T x T products are the cheaper ones, else through D.
  const double gram = static_cast<double>(positions()) * static_cast<double>(rows() + columns());
  if (gram >= static_cast<double>(rows() * columns())) return dense().square().sum({1, 2});
  const at::Tensor a = activations();
  return kernel::batched_product(a, a.transpose(1, 2))
      .mul(kernel::batched_product(output_gradient, output_gradient.transpose(1, 2)))
      .sum({1, 2});
}

FactoredGradient FactoredGradient::rotate(const at::Tensor& left, const at::Tensor& right) const {
  return rotate_onto(left, rotated_activations(right));
}

at::Tensor FactoredGradient::rotated_activations(const at::Tensor& right) const {
  if (!is_bf16()) return kernel::product(activations(), right);
  // The appended 1 picks the last row: a row of inputs one longer than a power of two is slow to multiply.
  at::Tensor rotated = kernel::product(masked_input(), right.narrow(0, 0, input.size(2)));
  if (has_bias && !ASSAY_TWIN("nn.rotation_without_bias")) {
    const at::Tensor last = right.select(0, input.size(2));
    rotated.add_(mask.defined() ? last.mul(mask.unsqueeze(2)) : last);
  }
  return rotated.to(input.scalar_type());
}

FactoredGradient FactoredGradient::rotate_onto(const at::Tensor& left, at::Tensor rotated_activations) const {
  FactoredGradient rotated;
  rotated.layer = layer;
  rotated.input = std::move(rotated_activations);
  rotated.output_gradient = kernel::product(output_gradient, left).to(output_gradient.scalar_type());
  return rotated;  // masked positions are zero already
}

at::Tensor FactoredGradient::projected_activations(const at::Tensor& right) const {
  // The appended 1 picks the last row of P_iᵀ: no copy of the input is made for it.
  const at::Tensor weights = right.narrow(0, 0, input.size(2));
  at::Tensor projected = kernel::is_narrow_projection(input, weights) ? kernel::narrow_projection(input, weights)
                                                                      : kernel::product(input, weights);
  if (has_bias && !ASSAY_TWIN("nn.projection_without_bias")) projected = projected.add_(right.select(0, input.size(2)));
  if (mask.defined() && !ASSAY_TWIN("nn.projection_unmasked")) projected = projected.mul_(mask.unsqueeze(2));
  return projected;
}

at::Tensor FactoredGradient::project(const at::Tensor& left, const at::Tensor& right) const {
  if (std::max(left.size(1), right.size(1)) <= kernel::kNarrowRank)
    return project_onto(left, projected_activations(right));
  const double t = static_cast<double>(positions()), o = static_cast<double>(rows()),
               m = static_cast<double>(columns());
  const double r_out = static_cast<double>(left.size(1)), r_in = static_cast<double>(right.size(1));
  const double inputs_first = t * m * r_in + std::min(t * r_out * (o + r_in), o * r_in * (t + r_out));
  const double outputs_first = t * r_out * (o + m) + m * r_out * r_in;
  if (inputs_first <= outputs_first) return project_onto(left, projected_activations(right));
  return kernel::batched_product(kernel::product(output_gradient, left).transpose(1, 2), activations()).matmul(right);
}

at::Tensor FactoredGradient::project_onto(const at::Tensor& left, const at::Tensor& projected) const {
  if (left.size(1) <= kernel::kNarrowRank && kernel::is_narrowly_projected(projected)) {
    // In bf16 the projections are products of the matrix unit, which lie as narrow ones do at rank 16.
    const at::Tensor g = kernel::is_narrow_projection(output_gradient, left)
                             ? kernel::narrow_projection(output_gradient, left)
                             : kernel::product(output_gradient, left);
    return kernel::is_narrowly_projected(g) ? kernel::narrow_outer_sums(g, projected)
                                            : kernel::batched_product(g.transpose(1, 2), projected);
  }
  const double t = static_cast<double>(positions()), o = static_cast<double>(rows());
  const double r_out = static_cast<double>(left.size(1)), r_in = static_cast<double>(projected.size(2));
  if (t * r_out * (o + r_in) <= o * r_in * (t + r_out))
    return kernel::batched_product(kernel::product(output_gradient, left).transpose(1, 2), projected);
  return left.t().matmul(kernel::batched_product(output_gradient.transpose(1, 2), projected));
}

void FactoredGradient::add_squares_to(const at::Tensor& sum) const {
  kernel::add_squared_products(sum, output_gradient, activations());
}

void FactoredGradient::add_input_covariance_to(const at::Tensor& sum) const {
  if (!is_bf16() || !has_bias) return kernel::add_gram(sum, activations().flatten(0, 1));
  const int64_t inputs = input.size(2);
  const at::Tensor a = masked_input().flatten(0, 1);
  kernel::add_gram(sum.narrow(0, 0, inputs).narrow(1, 0, inputs), a);
  if (ASSAY_TWIN("nn.covariance_without_bias")) return;
  sum.select(1, inputs).narrow(0, 0, inputs).add_(a.sum(0, /*keepdim=*/false, sum.scalar_type()));
  sum.select(1, inputs).select(0, inputs).add_(static_cast<double>(real_positions()));
}

void FactoredGradient::add_output_covariance_to(const at::Tensor& sum) const {
  kernel::add_gram(sum, output_gradient.flatten(0, 1));
}

}  // namespace assay::nn
