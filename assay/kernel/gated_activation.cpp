#include "assay/kernel/gated_activation.h"

#include <ATen/ops/silu.h>

namespace assay::kernel {

at::Tensor gated_silu(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate).mul(up); }

}  // namespace assay::kernel
