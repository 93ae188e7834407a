#include "assay/curvature/factored_curvature.h"

#include "assay/core/error.h"

namespace assay::curvature {

FactoredCurvature::FactoredCurvature(std::string name, std::map<nn::LayerId, FactoredBlock> blocks)
    : name_(std::move(name)), blocks_(std::move(blocks)) {
  for (const auto& [layer, block] : blocks_) {
    ASSAY_ASSERT(block.eigenvalues.dim() == 2 && block.output_basis.defined() == block.input_basis.defined());
    layers_.push_back(layer);
  }
}

const FactoredBlock& FactoredCurvature::block(nn::LayerId layer) const {
  const auto found = blocks_.find(layer);
  ASSAY_ASSERT(found != blocks_.end());
  return found->second;
}

at::Tensor FactoredCurvature::diagonal(nn::LayerId layer) const {
  const FactoredBlock& b = block(layer);
  if (!b.output_basis.defined()) return b.eigenvalues;
  return b.output_basis.square().matmul(b.eigenvalues).matmul(b.input_basis.square().t());
}

at::Tensor FactoredCurvature::into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const {
  const FactoredBlock& b = block(layer);
  if (!b.output_basis.defined()) return gradients;
  return b.output_basis.t().matmul(gradients).matmul(b.input_basis);
}

at::Tensor FactoredCurvature::out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const {
  const FactoredBlock& b = block(layer);
  if (!b.output_basis.defined()) return coordinates;
  return b.output_basis.matmul(coordinates).matmul(b.input_basis.t());
}

at::Tensor FactoredCurvature::into_eigenbasis(const nn::FactoredGradient& gradient) const {
  const FactoredBlock& b = block(gradient.layer);
  if (!b.output_basis.defined()) return gradient.dense();
  return gradient.rotate(b.output_basis, b.input_basis).dense();
}

}  // namespace assay::curvature
