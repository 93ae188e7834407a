// C = A·B or C += A·B on the matrix unit, bf16 to float32, by blocks that stay in a core's caches: of B as many columns
// as fill half of its L2, over which strips of A pass, each through the innermost cache. Where the depth is above 1,024
// a block of C stays there too, while pieces of the depth are added to it in order. The cut along the depth depends on
// the depth alone, so that a row has the same bits whatever stands beside it and however many threads there are.
#pragma once

#include <cstdint>

#include "assay/kernel/bf16_packing.h"

namespace assay::kernel {

/// Where C [M,N] lies and what the product is added to.
struct ProductPlace {
  float* data = nullptr;
  int64_t stride = 0;            ///< from row to row
  bool add = false;              ///< to what is there
  const float* start = nullptr;  ///< or to this in each row, [N]
};

/// C = or += a [M,K] · b [K,N], by all threads. has_amx() holds.
void amx_product(const Bf16View& a, const Bf16View& b, const ProductPlace& result);

}  // namespace assay::kernel
