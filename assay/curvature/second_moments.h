// Mean squares of per-example gradients in a given basis, Λ[o,m] = (1/N) Σ_i ((Q_Sᵀ D_i Q_A)[o,m])²: the second pass of
// EK-FAC (George et al. 2018, arXiv 1806.03884), and in the standard basis the diagonal curvature.
//
// D_i is a whole example's gradient, summed over its positions, and the average runs over examples: this keeps the
// correlations between positions that K-FAC drops. Sums are kept undivided for merging.
#pragma once

#include <map>
#include <span>

#include "assay/curvature/covariance.h"
#include "assay/curvature/factored_curvature.h"
#include "assay/curvature/input_products.h"

namespace assay::curvature {

class SecondMoments {
 public:
  /// `bases`: the rotations of each layer, for gradients of bf16 best in bf16 themselves; undefined ones are the
  /// standard basis. Their eigenvalues are not used. `dtype`: of the sums.
  SecondMoments(const nn::Architecture& architecture, std::map<nn::LayerId, FactoredBlock> bases, at::ScalarType dtype);

  /// A batch of this many examples comes, whatever layers it reaches and however many passes are made over it.
  void count(int64_t examples) { examples_.add_(static_cast<double>(examples)); }
  /// One layer of one pass over that batch.
  void add(const nn::FactoredGradient& gradient);
  void merge(const SecondMoments& other);
  /// Λ [O,M] of a layer. Throws Error(Numeric) if a sum is not finite.
  at::Tensor finish(nn::LayerId layer) const;
  TensorMap state() const;

 private:
  struct Sums {
    std::string name;
    FactoredBlock basis;  ///< rotations only
    at::Tensor squares;   ///< [O,M]
  };
  at::Tensor examples_;  // [] float64
  std::map<nn::LayerId, Sums> layers_;
  InputProducts rotated_inputs_;  // a Q_A [B,T,M]
};

}  // namespace assay::curvature
