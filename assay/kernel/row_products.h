// Inner products of a few vectors with many rows, the rows read once from memory: what one question costs against a
// stored index. A matrix product of so few columns leaves most of the memory's bandwidth unused (a product with one row
// runs on one thread, with two it copies both sides); here every row is widened to float32 in registers as it passes,
// whatever type it is stored in, and multiplied with all vectors while it lies in the cache. Sums are float32, in an
// order that depends on the width of the registers: exact up to rounding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace assay::kernel {

/// Beyond this a matrix product is faster.
constexpr int64_t kFewVectors = 16;

/// vectors · rowsᵀ [Q,n] float32, for vectors [Q,K] float32 and rows [n,K] float32, bfloat16, half or int8. With scales
/// [n,L] float32 the columns of layer l, [ends[l-1], ends[l]), count scales[i,l] times; without (undefined) once.
/// Columns stand side by side; rows may be further apart.
at::Tensor products_with_rows(const at::Tensor& vectors, const at::Tensor& rows, const at::Tensor& scales = {},
                              std::span<const int64_t> ends = {});

}  // namespace assay::kernel
