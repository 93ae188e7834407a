// Query directions u_q = P⁻¹ ∇f_q of every tracked layer, ready to be multiplied with the gradients of documents. Full
// they take Q·P numbers; compressed to rank r by a truncated singular value decomposition Q·r·(O + M) a layer, which
// saves memory, not arithmetic: they are decompressed where they are used, one layer at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <span>
#include <vector>

#include "assay/curvature/curvature.h"
#include "assay/curvature/resumable_pass.h"
#include "assay/nn/measurement.h"
#include "assay/nn/model.h"

namespace assay::attribute {

class Directions {
 public:
  explicit Directions(std::map<nn::LayerId, at::Tensor> full);

  int64_t queries() const;
  const std::vector<nn::LayerId>& layers() const { return layers_; }
  at::Tensor at(nn::LayerId layer) const;  ///< [Q,O,M]
  at::Tensor norms() const;                ///< ‖u_q‖ over all layers: [Q]

  /// (P + λ)⁻¹ u, layer by layer and in the same memory.
  Directions solve(const curvature::Curvature& curvature, const curvature::Damping& damping) &&;
  /// In each layer nearly the nearest of rank at most `rank` (math::randomized_svd).
  Directions compress(int64_t rank) &&;
  /// ‖u - compressed u‖ / ‖u‖ over all layers, of each query: [Q] float64; undefined before compress().
  const at::Tensor& compression_errors() const { return compression_errors_; }
  /// Takes further queries of the same layers and rank in, behind its own.
  void append(const Directions& further);

 private:
  struct Pair {
    at::Tensor left;   ///< [Q,O,r], or [Q,O,M] where `right` is undefined
    at::Tensor right;  ///< [Q,r,M]
  };
  std::map<nn::LayerId, Pair> pairs_;
  std::vector<nn::LayerId> layers_;
  at::Tensor compression_errors_;
};

/// ∇f_q for the queries `rows` of a dataset, in their order.
Directions query_gradients(const nn::Model& model, const data::Dataset& queries, std::span<const int64_t> rows,
                           const nn::Measurement& measurement, std::span<const nn::LayerId> layers);

}  // namespace assay::attribute
