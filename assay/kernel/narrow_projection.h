// Projections to at most sixteen dimensions, and sums over positions of what they give: products of which one side is
// one vector register wide. A general matrix product leaves most of its tiles empty there. Here the sixteen numbers of
// a row stay in a register while the long side streams by. Float32 on all threads, exact up to rounding.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

constexpr int64_t kNarrowRank = 16;

/// Whether these do for x [...,K] and p [K,R]: float32, R at most sixteen, rows of x side by side.
bool is_narrow_projection(const at::Tensor& x, const at::Tensor& p);

/// x p [...,R], rows sixteen numbers apart with zeros behind the R.
at::Tensor narrow_projection(const at::Tensor& x, const at::Tensor& p);

/// Whether y [B,T,R] is laid out as narrow_projection leaves it.
bool is_narrowly_projected(const at::Tensor& y);

/// Σ_t g_t a_tᵀ [B,R,R'] of two such results [B,T,R] and [B,T,R'].
at::Tensor narrow_outer_sums(const at::Tensor& g, const at::Tensor& a);

}  // namespace assay::kernel
