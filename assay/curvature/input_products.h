// The product of a layer's inputs with a matrix, made once for layers that read the same input (query, key and value;
// gate and up), which come one after the other.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/nn/factored_gradient.h"

namespace assay::curvature {

class InputProducts {
 public:
  /// make() where the last call had another input or another matrix.
  template <typename Make>
  const at::Tensor& of(const nn::FactoredGradient& gradient, const at::Tensor& matrix, const Make& make) {
    if (!is_last(gradient.input, matrix)) {
      input_ = gradient.input;
      matrix_ = matrix;
      product_ = make();
    }
    return product_;
  }

 private:
  bool is_last(const at::Tensor& input, const at::Tensor& matrix) const;

  at::Tensor input_;  // kept alive, so that no other can take its place in memory
  at::Tensor matrix_, product_;
};

}  // namespace assay::curvature
