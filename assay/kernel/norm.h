// Root-mean-square normalisation (Zhang & Sennrich, arXiv 1910.07467) with statistics in at least float32.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// sqrt(mean(x²) + epsilon) over the last axis, kept: [.., D] → [.., 1].
at::Tensor rms_scale(const at::Tensor& x, double epsilon);

/// x / rms_scale(x) · weight: [.., D].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

}  // namespace assay::kernel
