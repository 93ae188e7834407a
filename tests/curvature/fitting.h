// Fits of toy models in one call, and the plain loops that they are compared with.
#pragma once

#include <ATen/ops/cat.h>

#include "assay/curvature/fit.h"
#include "assay/nn/gradients.h"
#include "tests/support/toy.h"

namespace assay::curvature {

/// D_i of every example, [N,O,M], one single backward pass each: nothing of batching or masking in it.
inline at::Tensor gradients_one_by_one(const nn::Model& model, const data::Dataset& dataset,
                                       const nn::Measurement& measurement, nn::LayerId layer) {
  std::vector<at::Tensor> all;
  for (int64_t row = 0; row < dataset.size(); ++row) {
    const data::Batch batch = data::make_batch(dataset, std::span(&row, 1), model.dtype());
    nn::stream_gradients(model, batch, measurement, std::span(&layer, 1),
                         [&](const nn::FactoredGradient& gradient) { all.push_back(gradient.dense()); });
  }
  return at::cat(all);
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

/// Sums in float64 over a few hundred terms of size 1: 1e-12 leaves three digits to spare.
constexpr double kRounding = 1e-12;

struct Fit {
  nn::Model model;
  data::Dataset dataset;
  Labels labels = Labels::Sampled;
  uint64_t seed = 5;
  int64_t batch = 7;
  Batches batches = batches_of(dataset, batch);
  Workspace workspace = {};

  FitRequest request() const {
    return {.model = model,
            .dataset = dataset,
            .batches = batches,
            .layers = all_layers(model),
            .labels = labels,
            .seed = seed};
  }
  std::map<nn::LayerId, LayerBasis> bases() { return fit_bases(request(), workspace, silent_progress()); }
  std::shared_ptr<const Curvature> ekfac() { return fit_ekfac(request(), workspace, silent_progress()).curvature; }
  std::shared_ptr<const Curvature> kfac() { return fit_kfac(request(), workspace, silent_progress()).curvature; }
};

/// A = Q diag(a) Qᵀ again.
inline at::Tensor matrix_of(const Eigen& eigen) {
  return eigen.vectors.mul(eigen.values).matmul(eigen.vectors.t());
}

}  // namespace assay::curvature
