// The leading part of many matrices by random projection (Halko, Martinsson & Tropp 2011, arXiv 0909.4061,
// algorithm 4.4 with orthonormalised power iterations): Y = (A Aᵀ)^q A Ω, Q = orth(Y), then the exact decomposition of
// the small QᵀA.
//
// Approximate: the range found misses a little of the best one where the spectrum is flat, and what the result loses is
// measured, not estimated: ‖A - LR‖² of the residual. Costs 2·(q + 1) products O·M·(r + p) and one of O·M·r for the
// residual instead of some 20·O·M·min(O,M). Where r + p is no smaller than min(O,M)/2 the exact
// decomposition is taken.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace assay::math {

struct LowRank {
  at::Tensor left;   ///< [B,O,r]: singular vectors times singular values, in falling order
  at::Tensor right;  ///< [B,r,M]: orthonormal rows
  at::Tensor lost;   ///< [B] float64: ‖A - left·right‖²
};

/// Of each matrix [B,O,M] the part of rank r = min(rank, O, M). The projection is drawn from Philox keyed (seed,
/// place), so that a matrix gives the same numbers in any company.
LowRank randomized_svd(const at::Tensor& matrices, int64_t rank, uint64_t seed);

}  // namespace assay::math
