#include "assay/curvature/projection.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "assay/core/twin.h"
#include "assay/curvature/covariance.h"
#include "assay/math/gaussian_matrix.h"

namespace assay::curvature {
namespace {

// Pᵀ [n,r] of a random projection of n numbers to r.
at::Tensor random_side(int64_t n, int64_t r, uint64_t seed, const std::string& name, at::ScalarType dtype) {
  // Kaiming's uniform distribution for a layer of this shape, in whose sums layers count by their shapes.
  const double deviation = ASSAY_TWIN("curvature.projection_scaled_by_shape")
                               ? 1 / std::sqrt(3.0 * static_cast<double>(n))
                               : 1 / std::sqrt(static_cast<double>(r));
  return math::gaussian_matrix(r, n, deviation, seed, name).t().contiguous().to(dtype);
}

// The strongest r of ascending eigenvectors, strongest first: [n,r].
at::Tensor principal_side(const Eigen& eigen, int64_t r) {
  const int64_t n = eigen.vectors.size(1), kept = std::min(r, n);
  const int64_t first = ASSAY_TWIN("curvature.weakest_directions_kept") ? 0 : n - kept;
  return eigen.vectors.narrow(1, first, kept).flip({1}).contiguous();
}

}  // namespace

LayerShape projected_shape(const nn::Architecture& architecture, nn::LayerId layer, const Ranks& ranks) {
  const LayerShape full = shape_of(architecture, layer);
  return {std::min(ranks.outputs, full.rows), std::min(ranks.inputs, full.columns)};
}

Projection::Projection(std::map<nn::LayerId, LayerProjection> layers) : layers_(std::move(layers)) {
  for (const auto& [layer, projection] : layers_) {
    ids_.push_back(layer);
    offsets_[layer] = columns_;
    columns_ += projection.shape().size();
  }
}

const at::Tensor& Projection::projected_input(const nn::FactoredGradient& gradient) {
  const at::Tensor& projection = of(gradient.layer).input;
  return projected_inputs_.of(gradient, projection, [&] { return gradient.projected_activations(projection); });
}

at::Tensor Projection::project(const nn::FactoredGradient& gradient) {
  const LayerProjection& projection = of(gradient.layer);
  const auto shares_input = [&](nn::LayerId other) {
    return other != gradient.layer && of(other).input.is_same(projection.input);
  };
  if (std::ranges::any_of(ids_, shares_input))
    return gradient.project_onto(projection.output, projected_input(gradient));
  return gradient.project(projection.output, projection.input);
}

nn::FactoredGradient Projection::project_pair(const nn::FactoredGradient& gradient) {
  return gradient.rotate_onto(of(gradient.layer).output, projected_input(gradient));
}

at::Tensor Projection::lift(const at::Tensor& u, nn::LayerId layer) const {
  const LayerProjection& projection = of(layer);
  return projection.output.matmul(u).matmul(projection.input.t());
}

Projection Projection::to(at::ScalarType dtype) const {
  std::map<const void*, at::Tensor> inputs;  // shared ones stay shared
  std::map<nn::LayerId, LayerProjection> layers;
  for (const auto& [layer, projection] : layers_) {
    at::Tensor& input = inputs[projection.input.const_data_ptr()];
    if (!input.defined()) input = projection.input.to(dtype);
    layers[layer] = {projection.output.to(dtype), input};
  }
  return Projection(std::move(layers));
}

Projection random_projection(const nn::Architecture& architecture, std::span<const nn::LayerId> layers,
                             const Ranks& ranks, uint64_t seed, at::ScalarType dtype) {
  std::map<std::string, at::Tensor> inputs;
  std::map<nn::LayerId, LayerProjection> projections;
  for (const nn::LayerId layer : layers) {
    const LayerShape full = shape_of(architecture, layer), kept = projected_shape(architecture, layer, ranks);
    const std::string name = input_name(architecture, layer);
    at::Tensor& input = inputs[name];
    if (!input.defined()) input = random_side(full.columns, kept.columns, seed, "input " + name, dtype);
    projections[layer] = {
        random_side(full.rows, kept.rows, seed, "output " + layer_at(architecture, layer).name, dtype), input};
  }
  return Projection(std::move(projections));
}

Projection principal_projection(const std::map<nn::LayerId, LayerBasis>& bases, const Ranks& ranks) {
  std::map<const void*, at::Tensor> inputs;  // by eigenvectors, which layers with one input share
  std::map<nn::LayerId, LayerProjection> projections;
  for (const auto& [layer, basis] : bases) {
    at::Tensor& input = inputs[basis.input.vectors.const_data_ptr()];
    if (!input.defined()) input = principal_side(basis.input, ranks.inputs);
    projections[layer] = {principal_side(basis.output, ranks.outputs), input};
  }
  return Projection(std::move(projections));
}

}  // namespace assay::curvature
