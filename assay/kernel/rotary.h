// Rotary position embedding (Su et al., arXiv 2104.09864), half-split pairs (x_i, x_{i+K/2}) as in Llama and NeoX.
// A rotation's derivative is the rotation by the negative angle: the same pass serves both directions and keeps nothing
// but the table. Exact up to rounding, first order only; every number is read once, wherever it lies, and written once.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// cos and sin of position · base^(-2i/K), positions first .. first + T - 1: each [T, K/2]. Angles in float64.
struct RotaryTable {
  at::Tensor cosine, sine;
};
RotaryTable rotary_table(int64_t first, int64_t positions, int64_t head_width, double base, at::ScalarType dtype);

/// Rotates each head: x [B,T,H,K] → [B,T,H,K]. Position 0 is the identity; norms are preserved.
at::Tensor rotate_heads(const at::Tensor& x, const RotaryTable& table);

/// The same by tensor operators, with their derivatives: the plain twin, and what runs where the fused form does not
/// (neither float nor double, not on the CPU, empty).
at::Tensor rotate_heads_plain(const at::Tensor& x, const RotaryTable& table);

}  // namespace assay::kernel
