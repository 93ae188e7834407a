#include "assay/curvature/input_products.h"

#include "assay/core/twin.h"

namespace assay::curvature {

bool InputProducts::is_of(const Product& product, const at::Tensor& input, const at::Tensor& matrix) {
  if (!product.result.defined() || !product.matrix.is_same(matrix) || product.input.sizes() != input.sizes())
    return false;
  return ASSAY_TWIN("curvature.rotated_input_of_another_batch") ||
         (product.input.const_data_ptr() == input.const_data_ptr() && product.input.strides() == input.strides());
}

}  // namespace assay::curvature
