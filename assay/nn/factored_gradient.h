// Per-example weight gradients, left factored.
//
// For a layer y = x Wᵀ + b the gradient of example i is D_i = Σ_t g_t a_tᵀ [O,M], with a_t the input at position t (a 1
// appended if the layer has a bias, so that the last column is the bias gradient) and g_t the gradient of the example's
// number with respect to the output. A run hands back the pair (a, g); every operation on it chooses its contraction by
// counted multiply-adds. Exact up to rounding. A pair of bf16 numbers, which a model of bf16 gives, is multiplied in
// bf16 with float32 results, and what it is rotated into is rounded to bf16 again.
//
//   dense            B·T·O·M
//   dot, Q queries   dense + Q·B·O·M, or factored Q·B·T·O·M + Q·B·T·min(O,M)
//   project to r, r' B·T·(M·r' + O·r + r·r') at most, and D is never formed
//   covariances      B·T·M²/2 and B·T·O²/2, being symmetric
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace assay::nn {

using LayerId = int64_t;  ///< place in Architecture::layers()

struct FactoredGradient {
  LayerId layer = 0;
  at::Tensor input;            ///< [B,T,I] without the appended 1
  at::Tensor output_gradient;  ///< [B,T,O]; zero at masked positions
  at::Tensor mask;             ///< [B,T] bool, or undefined when every position is real
  bool has_bias = false;

  int64_t batch() const { return input.size(0); }
  int64_t positions() const { return input.size(1); }
  int64_t rows() const { return output_gradient.size(2); }                ///< O
  int64_t columns() const { return input.size(2) + (has_bias ? 1 : 0); }  ///< M
  int64_t real_positions() const;                                         ///< unmasked positions in the batch
  bool is_bf16() const { return input.scalar_type() == at::kBFloat16; }

  at::Tensor masked_input() const;  ///< [B,T,I]: masked positions zero
  at::Tensor activations() const;   ///< a [B,T,M]: masked positions zero, the appended 1 included (and masked)
  at::Tensor dense() const;         ///< D [B,O,M]
  /// ⟨u_q, D_i⟩ for queries u [Q,O,M]: [Q,B].
  at::Tensor dot(const at::Tensor& queries) const;
  /// The part of ⟨u_q, D_i⟩ that flows through each position: [Q,B,T]; sums over T to dot().
  at::Tensor dot_per_token(const at::Tensor& queries) const;
  at::Tensor squared_norm() const;  ///< ‖D_i‖²: [B]
  /// The pair of Q_Sᵀ D Q_A, with Q_S [O,O'] on the left and Q_A [M,M'] on the right; it has no bias column any more.
  FactoredGradient rotate(const at::Tensor& left, const at::Tensor& right) const;
  /// a Q_A [B,T,M'], of the pair's own type; and the same pair where it is at hand for several layers of one input.
  at::Tensor rotated_activations(const at::Tensor& right) const;
  FactoredGradient rotate_onto(const at::Tensor& left, at::Tensor rotated_activations) const;
  /// P_o D P_iᵀ [B,r,r'], with P_oᵀ [O,r] on the left and P_iᵀ [M,r'] on the right. At least one side is projected
  /// before the positions are summed, so that D is never formed; which one, or both, is counted.
  at::Tensor project(const at::Tensor& left, const at::Tensor& right) const;
  /// a P_iᵀ [B,T,r'], masked: what several layers that read one input share.
  at::Tensor projected_activations(const at::Tensor& right) const;
  /// The same where a P_iᵀ is at hand.
  at::Tensor project_onto(const at::Tensor& left, const at::Tensor& projected_activations) const;
  /// sum [O,M] += Σ_i D_i², elementwise.
  void add_squares_to(const at::Tensor& sum) const;
  /// sum [M,M] += Σ_{i,t} a_t a_tᵀ over real positions, on and above the diagonal (kernel::mirrored fills in the rest).
  void add_input_covariance_to(const at::Tensor& sum) const;
  /// sum [O,O] += Σ_{i,t} g_t g_tᵀ, likewise.
  void add_output_covariance_to(const at::Tensor& sum) const;
};

using GradientSink = std::function<void(const FactoredGradient&)>;

}  // namespace assay::nn
