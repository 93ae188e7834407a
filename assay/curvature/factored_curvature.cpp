#include "assay/curvature/factored_curvature.h"

#include <ATen/ops/empty_like.h>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/products.h"

namespace assay::curvature {
namespace {

/// left · V · right for each V of [..,O,M]: products of bf16 where the rotations are, with float32 results.
at::Tensor turned(const at::Tensor& left, const at::Tensor& given, const at::Tensor& right) {
  if (left.scalar_type() != at::kBFloat16) return left.matmul(given).matmul(right);
  const at::Tensor half = kernel::product(given, right).view({-1, given.size(-2), given.size(-1)});
  const at::Tensor result = at::empty_like(half);
  for (int64_t i = 0; i < half.size(0); ++i)
    kernel::put_product(result.select(0, i), ASSAY_TWIN("curvature.bf16_rotation_turned") ? left.t() : left,
                        half.select(0, i));
  return result.view(given.sizes());
}

}  // namespace

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
  const at::ScalarType dtype = b.eigenvalues.scalar_type();
  return b.output_basis.to(dtype).square().matmul(b.eigenvalues).matmul(b.input_basis.to(dtype).square().t());
}

at::Tensor FactoredCurvature::into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const {
  const FactoredBlock& b = block(layer);
  if (!b.output_basis.defined()) return gradients;
  return turned(b.output_basis.t(), gradients, b.input_basis);
}

at::Tensor FactoredCurvature::out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const {
  const FactoredBlock& b = block(layer);
  if (!b.output_basis.defined()) return coordinates;
  return turned(b.output_basis, coordinates, b.input_basis.t());
}

at::Tensor FactoredCurvature::into_eigenbasis(const nn::FactoredGradient& gradient) const {
  const FactoredBlock& b = block(gradient.layer);
  if (!b.output_basis.defined()) return gradient.dense();
  return gradient.rotate(b.output_basis, b.input_basis).dense();
}

}  // namespace assay::curvature
