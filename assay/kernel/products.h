// Products by the type of their inputs, so that what is made of them is written once: float32 and float64 by ATen, with
// results of their own type; bf16 with float32 results (bf16_product.h). One bf16 operand makes the product one of
// bf16, the other is rounded. No autograd: for statistics, and inside of hand-written derivatives.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// a [.., K] · b [K,N] → [.., N].
at::Tensor product(const at::Tensor& a, const at::Tensor& b);
/// a_i · b_i for each i: [B,M,K] · [B,K,N] → [B,M,N].
at::Tensor batched_product(const at::Tensor& a, const at::Tensor& b);
/// sum [M,N] += a [M,K] · b [K,N]; rows of `sum` contiguous.
void add_product(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);
/// result [M,N] = a [M,K] · b [K,N].
void put_product(const at::Tensor& result, const at::Tensor& a, const at::Tensor& b);

/// x Wᵀ + b: x [.., I], weight [O,I], bias [O] or undefined → [.., O], differentiable. A bf16 weight makes it a product
/// of bf16, forwards and backwards, differentiable once; a gradient of the weight itself is bf16 too. `rounded`: x in
/// bf16, where that is at hand.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& rounded = {});

}  // namespace assay::kernel
