// float32 to bf16, to the nearest, ties to even, as the matrix unit's companions do it: denormal numbers,
// below 1.2e-38, become zeros. ATen's conversion takes three to four times as long. Bound by memory.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// x, any type and strides, → bf16 without history; x itself where it is bf16. Strides are kept where x is dense.
at::Tensor to_bf16(const at::Tensor& x);

}  // namespace assay::kernel
