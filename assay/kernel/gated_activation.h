// The gated unit of Llama's MLP (Shazeer, arXiv 2002.05202).
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// silu(gate) · up, silu(x) = x / (1 + e^(-x)); elementwise, any shape.
at::Tensor gated_silu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace assay::kernel
