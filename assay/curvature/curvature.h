// A positive quadratic form on parameter space, in blocks of one layer each: P = ⊕_l P_l, P_l acting on gradients
// [O,M].
//
// Everything one does with it goes through its eigenvalues: apply(f) is f(P), solve is (P + λ)⁻¹. Damping is an
// argument (damping.h). A direction in which eigenvalue and damping are both zero is left out of a solve, as in a
// pseudo-inverse, because no finite answer exists there. Reciprocals are taken in float64.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "assay/curvature/damping.h"
#include "assay/nn/factored_gradient.h"

namespace assay::curvature {

/// A function of eigenvalues, elementwise: float64 in, float64 of the same shape out.
using SpectralFunction = std::function<at::Tensor(const at::Tensor& eigenvalues)>;

/// (P_l + λ)⁻¹ of one layer at one damping: decomposed once, for as many gradients as come.
class DampedInverse {
 public:
  virtual ~DampedInverse() = default;
  /// (P_l + λ)⁻¹ V for gradients V [...,O,M]: the same shape and type.
  virtual at::Tensor solve(const at::Tensor& gradients) const = 0;
  /// ⟨V_i, (P_l + λ)⁻¹ V_i⟩ for gradients [B,O,M]: [B], none negative.
  virtual at::Tensor norm(const at::Tensor& gradients) const = 0;
};

class Curvature {
 public:
  virtual ~Curvature() = default;

  /// "ekfac"
  virtual std::string name() const = 0;
  /// The layers it has a block for, in ascending order; every other parameter is not covered.
  virtual std::span<const nn::LayerId> layers() const = 0;
  bool covers(nn::LayerId layer) const;

  /// Eigenvalues of a layer's block, none negative; [O,M], in an order of the block's own.
  virtual at::Tensor eigenvalues(nn::LayerId layer) const = 0;
  virtual double mean_eigenvalue(nn::LayerId layer) const;
  /// The diagonal of a layer's block: [O,M].
  virtual at::Tensor diagonal(nn::LayerId layer) const = 0;

  /// f(P_l) V for gradients V [...,O,M]: the same shape and type.
  at::Tensor apply(const at::Tensor& gradients, nn::LayerId layer, const SpectralFunction& f) const;
  /// Made from the eigenvalues, unless a form of curvature has a better way. It must not outlive the curvature.
  virtual std::unique_ptr<DampedInverse> inverse(nn::LayerId layer, const Damping& damping) const;
  /// (P_l + λ)⁻¹ V for gradients V [...,O,M].
  at::Tensor solve(const at::Tensor& gradients, nn::LayerId layer, const Damping& damping) const;
  /// ⟨D_i, (P_l + λ)⁻¹ D_i⟩ of each example: [B], none negative.
  at::Tensor inverse_norm(const nn::FactoredGradient& gradient, const Damping& damping) const;

 protected:
  virtual at::Tensor into_eigenbasis(const at::Tensor& gradients, nn::LayerId layer) const = 0;
  virtual at::Tensor out_of_eigenbasis(const at::Tensor& coordinates, nn::LayerId layer) const = 0;
  virtual at::Tensor into_eigenbasis(const nn::FactoredGradient& gradient) const;  ///< [B,O,M]

 private:
  class SpectralInverse;
  SpectralFunction damped_inverse(nn::LayerId layer, const Damping& damping) const;
};

}  // namespace assay::curvature
