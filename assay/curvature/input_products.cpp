#include "assay/curvature/input_products.h"

#include "assay/core/twin.h"

namespace assay::curvature {

bool InputProducts::is_last(const at::Tensor& input, const at::Tensor& matrix) const {
  if (!product_.defined() || !matrix_.is_same(matrix) || input_.sizes() != input.sizes()) return false;
  return ASSAY_TWIN("curvature.rotated_input_of_another_batch") ||
         (input_.const_data_ptr() == input.const_data_ptr() && input_.strides() == input.strides());
}

}  // namespace assay::curvature
