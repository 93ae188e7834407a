// Root-mean-square normalisation (Zhang & Sennrich, arXiv 1910.07467) with statistics in at least float32.
//
//   y = w·x/s,  s = sqrt(mean(x²) + ε)        dx = (w·g - x̂·mean(w·g·x̂))/s,  dw = Σ_rows g·x̂,  x̂ = x/s
//
// Exact up to rounding, first order only. Each direction reads its row twice from the cache and writes it once; one
// number a row is kept beside the input. Sums over rows go by fixed blocks in order: the bits do not depend on the
// threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// sqrt(mean(x²) + epsilon) over the last axis, kept: [.., D] → [.., 1].
at::Tensor rms_scale(const at::Tensor& x, double epsilon);

/// x / rms_scale(x) · weight: [.., D].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

/// The same by tensor operators, with their derivatives: the plain twin, and what runs where the fused form does not
/// (neither float nor double, not on the CPU, empty).
at::Tensor rms_norm_plain(const at::Tensor& x, const at::Tensor& weight, double epsilon);

}  // namespace assay::kernel
