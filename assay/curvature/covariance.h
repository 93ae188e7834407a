// First pass of K-FAC and EK-FAC: the Kronecker factors of each layer,
//
//   A = (1/n) Σ a_t a_tᵀ [M,M],   S = (1/n) Σ g_t g_tᵀ [O,O],   n = unmasked positions,
//
// averages over positions (Martens & Grosse 2015, arXiv 1503.05671). Layers that read the same input share A. Sums are
// kept undivided, so that partial sums of shards add up to the sum over all; they are float32 for a float32 model, and
// hold the upper triangle only. Costs (M² + O²)/2 multiply-adds a position and layer.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <span>
#include <string>
#include <vector>

#include "assay/curvature/layer_shape.h"
#include "assay/nn/factored_gradient.h"

namespace assay::curvature {

/// Tensors by name: what an accumulator holds, for saving it and restoring it in place.
using TensorMap = std::map<std::string, at::Tensor>;

/// What names the input covariance of a layer; equal for layers that share it.
std::string input_name(const nn::Architecture& architecture, nn::LayerId layer);

struct KroneckerFactors {
  at::Tensor input;      ///< A [M,M]
  at::Tensor output;     ///< S [O,O]
  double positions = 0;  ///< n
};

class Covariances {
 public:
  Covariances(const nn::Architecture& architecture, std::span<const nn::LayerId> layers, at::ScalarType dtype);

  /// One layer of one batch. `counts_inputs` is false in further passes over the same batch with other labels: its
  /// inputs and positions have been counted.
  void add(const nn::FactoredGradient& gradient, bool counts_inputs = true);
  /// Adds the sums of another part of the data.
  void merge(const Covariances& other);
  /// Factors of a layer, divided by its positions, both triangles. Throws Error(Model) if the layer never ran,
  /// Error(Numeric) if a sum is not finite.
  KroneckerFactors finish(nn::LayerId layer) const;
  at::Tensor finish_input(nn::LayerId layer) const;   ///< A alone
  at::Tensor finish_output(nn::LayerId layer) const;  ///< S alone
  /// n of a layer.
  double positions(nn::LayerId layer) const;

  /// The sums themselves; they share storage with this object.
  TensorMap state() const;

 private:
  struct Sums {
    std::string name;         ///< of the layer
    at::Tensor input;         ///< [M,M], shared by layers with the same input
    bool owns_input = false;  ///< the one of them that adds to it
    at::Tensor output;        ///< [O,O]
    at::Tensor positions;     ///< [] float64
  };
  std::map<nn::LayerId, Sums> layers_;
};

}  // namespace assay::curvature
