// The Gaussian error linear unit (Hendrycks & Gimpel, arXiv 1606.08415), exact and by its usual approximation.
//
//   gelu       y = x·Φ(x)                    dy/dx = Φ(x) + x·φ(x)
//   gelu_tanh  y = x/2·(1 + tanh u) = x·σ(2u), u = sqrt(2/π)(x + 0.044715 x³)
//                                            dy/dx = σ + x·σ(1 - σ)·2u'
//
// One pass: where a gradient is wanted the slope is made beside the value and kept instead of the input, so that the
// backward pass is a product. First order only. In float32 Φ(-z) = e^(-z²/2)·t·P(t), t = 1/(1 + 0.21 z), with P of
// degree eight fitted to the relative error (1.4e-8 before rounding); values are within 3e-7·|x| of the true ones.
// Nanoseconds a number beside at::gelu, float32, one thread with AVX-512, forward, and forward with backward: exact
// 0.48 beside 0.44, 0.8 beside 1.4; tanh 0.32 beside 1.65, 0.7 beside 3.6. float64 of the exact form is ATen's.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// x·Φ(x), elementwise, any shape.
at::Tensor gelu(const at::Tensor& x);
/// The approximation that GPT-2 was trained with ("gelu_new"); it differs from gelu by at most 5e-4.
at::Tensor gelu_tanh(const at::Tensor& x);

/// The same by tensor operators, with their derivatives: the plain twins, and what runs where the fused form does not
/// (other types, not on the CPU, empty).
at::Tensor gelu_plain(const at::Tensor& x);
at::Tensor gelu_tanh_plain(const at::Tensor& x);

}  // namespace assay::kernel
