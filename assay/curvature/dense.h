// A curvature that is one dense matrix a layer, P_l = (1/N) Σ_i vec(V_i) vec(V_i)ᵀ over N given vectors: what LoGra
// measures in the space of projected gradients, where a layer has few enough dimensions k for k² numbers.
//
//   (P_l + λ)⁻¹ by Cholesky in float64: k³/3 multiply-adds once, k² a gradient.
//
// With fewer vectors than dimensions the matrix lacks rank and is never formed: by the dual form
//
//   (VᵀV/N + λ)⁻¹ v = (v − Vᵀ (V Vᵀ + Nλ)⁻¹ V v) / λ        N²·k + N³/3 once, N·k a gradient,
//
// the same numbers. Exact up to rounding. Without damping the directions that no vector has are left out, through the
// eigenvalues (k³ times some).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "assay/curvature/curvature.h"
#include "assay/curvature/layer_shape.h"

namespace assay::curvature {

struct DenseBlock {
  std::string name;        ///< of the layer, for messages
  LayerShape shape;        ///< of a vector as a matrix [O,M]; k = O·M
  at::Tensor matrix = {};  ///< P_l [k,k] float64, or undefined ...
  at::Tensor rows = {};    ///< ... and then V [N,k] float64
};

class DenseCurvature final : public Curvature {
 public:
  DenseCurvature(std::string name, std::map<nn::LayerId, DenseBlock> blocks);

  std::string name() const override { return name_; }
  std::span<const nn::LayerId> layers() const override { return layers_; }
  at::Tensor eigenvalues(nn::LayerId layer) const override;
  double mean_eigenvalue(nn::LayerId layer) const override;  ///< tr(P_l)/k
  at::Tensor diagonal(nn::LayerId layer) const override;
  /// Throws Error(Numeric) where the damped matrix is not positive definite.
  std::unique_ptr<DampedInverse> inverse(nn::LayerId layer, const Damping& damping) const override;

 protected:
  using Curvature::into_eigenbasis;
  at::Tensor into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const override;
  at::Tensor out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const override;

 private:
  const DenseBlock& block(nn::LayerId layer) const { return blocks_.at(layer); }
  at::Tensor matrix(nn::LayerId layer) const;

  std::string name_;
  std::map<nn::LayerId, DenseBlock> blocks_;
  std::vector<nn::LayerId> layers_;
};

}  // namespace assay::curvature
