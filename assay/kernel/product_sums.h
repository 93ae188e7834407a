// Sums of products that a statistic keeps while the products themselves are too big to hold.
//
//   add_squared_products   Σ_i (Σ_t g_it a_itᵀ)², elementwise: the D_i of an example fill a layer each, and writing
//                          them to memory costs more than computing them where documents are short. They are formed
//                          in tiles that stay in a core's cache and squared there.
//   add_gram               Σ_r a_r a_rᵀ: symmetric, so only blocks on and above the diagonal are computed; mirrored()
//                          fills in the rest once, at the end. Narrow float32 ones by tiles (narrow_gram.h), of which
//                          each thread has part of the rows: bits depend on the number of threads, by rounding.
//
// Of float32, float64 or bf16 numbers (products.h); of bf16 the sums are float32. Exact up to rounding; the plain forms
// are in the tests. Tiles come from the micro-kernel of example_tiles.h where this machine has it. Where a layer is so
// small that its D_i stay in the cache anyway, one batched product of float32 is faster and is taken.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// sum [O,M] += Σ_i (g_iᵀ a_i)², elementwise. g: [B,T,O], a: [B,T,M], of the sum's type, or bf16 where it is float32.
/// B·T·O·M multiply-adds.
void add_squared_products(const at::Tensor& sum, const at::Tensor& g, const at::Tensor& a);

/// sum [M,M] += aᵀa in blocks on and above the diagonal; below it the content is unspecified. a: [R,M]. About R·M²/2
/// multiply-adds.
void add_gram(const at::Tensor& sum, const at::Tensor& a);

/// The symmetric matrix of which `sum` [M,M] holds the upper triangle.
at::Tensor mirrored(const at::Tensor& sum);

}  // namespace assay::kernel
