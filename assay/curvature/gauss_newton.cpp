#include "assay/curvature/gauss_newton.h"

#include <ATen/ops/zeros.h>

#include "assay/core/error.h"
#include "assay/nn/gradients.h"

namespace assay::curvature {
namespace {

constexpr int64_t kLargestBlock = 8000;

std::map<nn::LayerId, at::Tensor> empty_sums(const FitRequest& request) {
  std::map<nn::LayerId, at::Tensor> sums;
  for (const nn::LayerId layer : request.layers) {
    const int64_t size = shape_of(request.model.architecture(), layer).size();
    if (size > kLargestBlock) {
      throw Error(ErrorKind::Resource, "fitting the exact Gauss-Newton matrix: a layer may have " +
                                           std::to_string(kLargestBlock) + " parameters, but \"" +
                                           layer_at(request.model.architecture(), layer).name + "\" has " +
                                           std::to_string(size) + "; use ekfac, or leave it out with --layers");
    }
    sums[layer] = at::zeros({size, size}, at::kDouble);
  }
  return sums;
}

}  // namespace

GaussNewton::GaussNewton(std::map<nn::LayerId, Block> blocks) : blocks_(std::move(blocks)) {
  for (const auto& [layer, block] : blocks_) layers_.push_back(layer);
}

at::Tensor GaussNewton::diagonal(nn::LayerId layer) const {
  const Block& block = blocks_.at(layer);
  return block.matrix.diagonal().view(block.values.sizes());
}

at::Tensor GaussNewton::into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const {
  return gradients.flatten(-2).matmul(blocks_.at(layer).vectors.to(gradients.scalar_type())).view(gradients.sizes());
}

at::Tensor GaussNewton::out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const {
  const at::Tensor vectors = blocks_.at(layer).vectors.to(coordinates.scalar_type());
  return coordinates.flatten(-2).matmul(vectors.t()).view(coordinates.sizes());
}

std::unique_ptr<GaussNewton> fit_gauss_newton(const FitRequest& request) {
  auto sums = empty_sums(request);
  const nn::Architecture& architecture = request.model.architecture();
  const auto passes = label_passes(request.labels, request.seed, architecture, request.dataset);
  for (const auto& rows : request.batches) {
    const data::Batch batch = data::make_batch(request.dataset, rows, request.model.dtype());
    for (const nn::Measurement& labels : passes) {
      nn::stream_gradients(request.model, batch, labels, request.layers, [&](const nn::FactoredGradient& gradient) {
        const at::Tensor flat = gradient.dense().flatten(1).to(at::kDouble);
        sums.at(gradient.layer).addmm_(flat.t(), flat);
      });
    }
  }
  std::map<nn::LayerId, GaussNewton::Block> blocks;
  for (const auto& [layer, sum] : sums) {
    const at::Tensor matrix = sum.div(static_cast<double>(request.dataset.size()));
    const Eigen eigen = eigen_of(matrix);
    const LayerShape shape = shape_of(architecture, layer);
    blocks[layer] = {matrix, eigen.vectors, eigen.values.view({shape.rows, shape.columns})};
  }
  return std::make_unique<GaussNewton>(std::move(blocks));
}

}  // namespace assay::curvature
