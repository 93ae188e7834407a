// One walk over documents that projects their gradients: rows [n,K] of Z, layers side by side, and with Kronecker
// curvature the sums of the projected pair's covariances. A forward pass and the backward's half that carries gradients
// down; no gradient of a weight is ever formed.
#pragma once

#include <functional>
#include <map>
#include <span>

#include "assay/curvature/projection.h"
#include "assay/data/dataset.h"
#include "assay/nn/measurement.h"
#include "assay/nn/model.h"

namespace assay::attribute {

/// Sums of one block of documents over their unmasked positions, upper triangles.
struct PairSums {
  std::map<nn::LayerId, at::Tensor> input;   ///< Σ P_i a aᵀ P_iᵀ [r_i,r_i]
  std::map<nn::LayerId, at::Tensor> output;  ///< Σ P_o g gᵀ P_oᵀ [r_o,r_o]
  std::map<nn::LayerId, double> positions;   ///< of a layer that runs several times, those of all its runs
};

struct ProjectedRows {
  at::Tensor rows;  ///< [n,K] in the model's type, in the order of the dataset
  PairSums sums;    ///< where they were asked for
};

/// Rows of `measurement`'s gradients. `after_batch` hears of the tokens of each batch as it is done. Throws
/// Error(Numeric), naming the row of the first that is not finite (from `first_row` on).
ProjectedRows projected_rows(const nn::Model& model, const data::Dataset& dataset, const nn::Measurement& measurement,
                             curvature::Projection& projection, bool with_sums, int64_t memory_bytes,
                             const std::string& what, int64_t first_row,
                             const std::function<void(int64_t tokens)>& after_batch);

}  // namespace assay::attribute
