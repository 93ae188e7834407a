#include "assay/kernel/gated_activation.h"

#include <ATen/ops/silu.h>

#include "assay/core/twin.h"

namespace assay::kernel {

at::Tensor gated_silu(const at::Tensor& gate, const at::Tensor& up) {
  return (ASSAY_TWIN("kernel.gate_without_silu") ? gate : at::silu(gate)).mul(up);
}

}  // namespace assay::kernel
