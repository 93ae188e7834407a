// The gated unit of Llama's MLP (Shazeer, arXiv 2002.05202).
//
//   y = a·σ(a)·b        da = g·b·σ·(1 + a·(1 - σ)),  db = g·a·σ        first order only
//
// One pass over the numbers in each direction, and nothing kept but the inputs: the backward pass makes the sigmoid
// again. The exponential is a series on lanes (lane_exponential.h); a number of any size gives the limit, never a NaN.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// silu(gate) · up, silu(x) = x / (1 + e^(-x)); elementwise, any shape.
at::Tensor gated_silu(const at::Tensor& gate, const at::Tensor& up);

/// The same by tensor operators, with their derivatives: the plain twin, and what runs where the fused form does not
/// (neither float nor double, not on the CPU, empty, shapes that differ).
at::Tensor gated_silu_plain(const at::Tensor& gate, const at::Tensor& up);

}  // namespace assay::kernel
