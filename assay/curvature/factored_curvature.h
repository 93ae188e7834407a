// The form that identity, diagonal, K-FAC and EK-FAC share: each layer's block is diagonal in a basis made of a
// rotation of its outputs and one of its inputs,
//
//   P_l(V) = Q_S [ (Q_Sᵀ V Q_A) ⊙ Λ ] Q_Aᵀ,     Λ [O,M] >= 0.
//
// The methods differ only in what the rotations and Λ are. A solve costs 2·O·M·(O + M) multiply-adds a gradient.
#pragma once

#include <map>
#include <vector>

#include "assay/curvature/curvature.h"

namespace assay::curvature {

struct FactoredBlock {
  at::Tensor output_basis = {};  ///< Q_S [O,O], columns orthonormal; undefined: the standard basis
  at::Tensor input_basis = {};   ///< Q_A [M,M]; undefined: the standard basis
  at::Tensor eigenvalues = {};   ///< Λ [O,M]
};

class FactoredCurvature final : public Curvature {
 public:
  FactoredCurvature(std::string name, std::map<nn::LayerId, FactoredBlock> blocks);

  std::string name() const override { return name_; }
  std::span<const nn::LayerId> layers() const override { return layers_; }
  at::Tensor eigenvalues(nn::LayerId layer) const override { return block(layer).eigenvalues; }
  at::Tensor diagonal(nn::LayerId layer) const override;
  const FactoredBlock& block(nn::LayerId layer) const;

 protected:
  at::Tensor into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const override;
  at::Tensor out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const override;
  at::Tensor into_eigenbasis(const nn::FactoredGradient& gradient) const override;

 private:
  std::string name_;
  std::map<nn::LayerId, FactoredBlock> blocks_;
  std::vector<nn::LayerId> layers_;
};

}  // namespace assay::curvature
