// Rotary position embedding (Su et al., arXiv 2104.09864), half-split pairs (x_i, x_{i+R/2}) as in Llama and NeoX, on
// the first R numbers of a head; what lies beyond passes through.
//
//   angle = position · f_i,  f_i = base^(-2i/R),  i < R/2        scaled: linear f/factor; Llama 3.1 by wavelength
//
// A rotation's derivative is the rotation by the negative angle: the same pass serves both directions and keeps nothing
// but the table. Exact up to rounding, first order only; every number is read once, wherever it lies, and written once.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// The frequencies of the R/2 pairs of a width R: float64 [R/2]. A checkpoint that scales its positions linearly, or
/// lists a divisor for each pair, divides them.
at::Tensor rotary_frequencies(int64_t width, double base);

/// Llama 3.1's rule: wavelengths 2π/f beyond original/low are stretched by `factor`, those below original/high stay,
/// and between the two the share grows linearly with original·f/2π. `original` is the context that the model was first
/// trained with, in positions; low < high.
at::Tensor llama3_scaled(const at::Tensor& frequencies, double factor, double low, double high, double original);

/// cos and sin of position · frequency: [T,R/2], or [B,T,R/2] where rows have positions of their own.
struct RotaryTable {
  at::Tensor cosine, sine;
};
/// positions: integers [T] or [B,T]. Angles in float64.
RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies, at::ScalarType dtype);
/// Positions first .. first + T - 1 and plain frequencies.
RotaryTable rotary_table(int64_t first, int64_t positions, int64_t width, double base, at::ScalarType dtype);

/// Rotates the first R <= K numbers of each head: x [B,T,H,K] → [B,T,H,K]. Position 0 is the identity; norms are
/// preserved.
at::Tensor rotate_heads(const at::Tensor& x, const RotaryTable& table);

/// The same by tensor operators, with their derivatives: the plain twin, and what runs where the fused form does not
/// (neither float nor double, not on the CPU, empty).
at::Tensor rotate_heads_plain(const at::Tensor& x, const RotaryTable& table);

}  // namespace assay::kernel
