// Low-rank projections of layers' gradients (LoGra, Choe et al. 2024, arXiv 2405.13954): what of D_i [O,M] is kept is
//
//   Z_i = P_o D_i P_iᵀ = Σ_t (P_o g_t)(P_i a_t)ᵀ [r_o,r_i],
//
// made from the factored pair, never from D_i: at most M·r_i + O·r_o + r_o·r_i multiply-adds a position, and Σ M·r_i +
// O·r_o numbers held. A layer with a bias appends a 1 to its input, so that the bias is projected with the weights.
//
//   random       entries N(0, 1/r) of either side: E⟨Z,Z'⟩ = ⟨D,D'⟩ whatever the layer's shape, so that no layer counts
//                more than another. Drawn by Philox from (seed, what the matrix reads), never from a running generator.
//   principal    the strongest r eigenvectors of the covariances of inputs and of output gradients: what is lost is
//   what
//                carries least energy. Rows are orthonormal; of full rank nothing is lost.
//
// Layers that read the same input share P_i, so that the input is projected once for all of them; their P_o differ.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <span>
#include <vector>

#include "assay/curvature/eigenbasis.h"
#include "assay/curvature/input_products.h"
#include "assay/curvature/layer_shape.h"
#include "assay/nn/factored_gradient.h"

namespace assay::curvature {

/// How many dimensions a layer keeps, at most; never more than it has.
struct Ranks {
  int64_t outputs = 16;
  int64_t inputs = 16;
};

struct LayerProjection {
  at::Tensor output;  ///< P_oᵀ [O,r_o]
  at::Tensor input;   ///< P_iᵀ [M,r_i]

  LayerShape shape() const { return {output.size(1), input.size(1)}; }  ///< of Z
};

/// The shape of Z of a layer.
LayerShape projected_shape(const nn::Architecture& architecture, nn::LayerId layer, const Ranks& ranks);

class Projection {
 public:
  explicit Projection(std::map<nn::LayerId, LayerProjection> layers);

  std::span<const nn::LayerId> layers() const { return ids_; }
  const LayerProjection& of(nn::LayerId layer) const { return layers_.at(layer); }
  LayerShape shape(nn::LayerId layer) const { return of(layer).shape(); }
  /// K: numbers of all layers' Z; those of a layer begin at offset(layer), in ascending order of layers.
  int64_t columns() const { return columns_; }
  int64_t offset(nn::LayerId layer) const { return offsets_.at(layer); }

  /// Z of each example: [B,r_o,r_i].
  at::Tensor project(const nn::FactoredGradient& gradient);
  /// The projected pair (P_i a_t, P_o g_t), masked, for statistics of it.
  nn::FactoredGradient project_pair(const nn::FactoredGradient& gradient);
  /// P_oᵀ u P_i [Q,O,M] for u [Q,r_o,r_i]: the direction whose product with D is that of u with Z.
  at::Tensor lift(const at::Tensor& u, nn::LayerId layer) const;
  /// The same numbers in another type.
  Projection to(at::ScalarType dtype) const;

 private:
  /// a P_iᵀ [B,T,r_i]. Layers that share an input come one after the other and share it.
  const at::Tensor& projected_input(const nn::FactoredGradient& gradient);

  std::map<nn::LayerId, LayerProjection> layers_;
  std::vector<nn::LayerId> ids_;
  std::map<nn::LayerId, int64_t> offsets_;
  int64_t columns_ = 0;
  InputProducts projected_inputs_;
};

/// Random projections of these layers. The same seed and names give the same numbers in every run.
Projection random_projection(const nn::Architecture& architecture, std::span<const nn::LayerId> layers,
                             const Ranks& ranks, uint64_t seed, at::ScalarType dtype);

/// Projections onto the strongest eigenvectors of each layer's covariances.
Projection principal_projection(const std::map<nn::LayerId, LayerBasis>& bases, const Ranks& ranks);

}  // namespace assay::curvature
