// The exact Gauss-Newton matrix of each layer, dense: P_l = (1/N) Σ_i E[vec(D_i) vec(D_i)ᵀ] [OM,OM]. With exact labels
// it is the block of E[Jᵀ H_out J] itself; nothing is approximated but the coupling between layers. For small layers
// and as the oracle of the factored forms: O(N·(OM)²) to fit and (OM)³ to decompose.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "assay/curvature/curvature.h"
#include "assay/curvature/fit.h"

namespace assay::curvature {

class GaussNewton final : public Curvature {
 public:
  struct Block {
    at::Tensor matrix;   ///< P_l [OM,OM], float64
    at::Tensor vectors;  ///< its eigenvectors, one a column
    at::Tensor values;   ///< its eigenvalues, ascending: [O,M]
  };

  explicit GaussNewton(std::map<nn::LayerId, Block> blocks);

  std::string name() const override { return "gauss-newton"; }
  std::span<const nn::LayerId> layers() const override { return layers_; }
  at::Tensor eigenvalues(nn::LayerId layer) const override { return blocks_.at(layer).values; }
  at::Tensor diagonal(nn::LayerId layer) const override;
  const at::Tensor& matrix(nn::LayerId layer) const { return blocks_.at(layer).matrix; }

 protected:
  using Curvature::into_eigenbasis;
  at::Tensor into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const override;
  at::Tensor out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const override;

 private:
  std::map<nn::LayerId, Block> blocks_;
  std::vector<nn::LayerId> layers_;
};

/// Throws Error(Resource) when a layer has more than 8,000 parameters (512 MB a matrix).
std::unique_ptr<GaussNewton> fit_gauss_newton(const FitRequest& request);

}  // namespace assay::curvature
