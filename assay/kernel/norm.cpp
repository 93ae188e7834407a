#include "assay/kernel/norm.h"

namespace assay::kernel {

at::Tensor rms_scale(const at::Tensor& x, double epsilon) {
  return x.square().mean(/*dim=*/{-1}, /*keepdim=*/true).add(epsilon).sqrt();
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return x.div(rms_scale(x, epsilon)).mul(weight);
}

}  // namespace assay::kernel
