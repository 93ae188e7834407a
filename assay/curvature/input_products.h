// The product of a layer's inputs with a matrix, made once for layers that read the same input (query, key and value;
// gate and up), which come one after the other. Those of a few inputs are kept, because the batches of a narrow model
// take turns (nn/batches_in_flight.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>

#include "assay/nn/factored_gradient.h"

namespace assay::curvature {

class InputProducts {
 public:
  /// make() where none of the last inputs was this one, or the matrix another.
  template <typename Make>
  const at::Tensor& of(const nn::FactoredGradient& gradient, const at::Tensor& matrix, const Make& make) {
    for (const Product& product : products_)
      if (is_of(product, gradient.input, matrix)) return product.result;
    Product& oldest = products_[next_++ % products_.size()];
    oldest = {};  // before the next is made
    oldest = {gradient.input, matrix, make()};
    return oldest.result;
  }

 private:
  struct Product {
    at::Tensor input;  // kept alive, so that no other can take its place in memory
    at::Tensor matrix, result;
  };
  static bool is_of(const Product& product, const at::Tensor& input, const at::Tensor& matrix);

  std::array<Product, 2> products_;
  size_t next_ = 0;
};

}  // namespace assay::curvature
