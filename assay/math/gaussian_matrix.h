// Matrices of independent normal numbers, drawn by Philox: entry (i, j) is a function of (seed, name, i, j) alone, the
// same on every machine, thread count and shard, and the first rows of a taller matrix are those of a shorter one. With
// deviation 1/√rows the matrix is a random projection: E[PᵀP] = I, so that inner products are kept on average. One draw
// a number.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

namespace assay::math {

/// [rows,columns] float64, each entry of this standard deviation. `name` tells the matrices of one seed apart.
at::Tensor gaussian_matrix(int64_t rows, int64_t columns, double deviation, uint64_t seed, std::string_view name);

}  // namespace assay::math
