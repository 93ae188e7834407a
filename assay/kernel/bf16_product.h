// Products of bf16 matrices with float32 results, the decisive lever on processors with AMX (five to seven times the
// float32 rate) or AVX-512 BF16 (twice): C = A·B, or C += A·B, either operand transposed, summed in float32.
//
// Inputs given in float32 are rounded to bf16 once, to nearest: each is off by at most 2^-9 of itself, a product of
// random numbers by about 2^-9/sqrt(K) of its size. Beyond that rounding the result is that of float32. One path is
// taken for a processor, whatever is timed, so that the same inputs give the same bits:
//
//   Amx     AMX is there: our product on the matrix unit (amx_product.h)
//   Tiles   AVX-512 BF16 is there: tiles of 64 x 64 by oneDNN's micro-kernel, B packed once, A where it must be
//   Plain   else: the rounded inputs widened, and float32 products
//
// First order and no autograd: for loops of our own. A and B are read where they lie when they are bf16.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace assay::kernel {

enum class Bf16Path : uint8_t { Amx, Tiles, Plain };

/// The path of this processor with this LibTorch, and whether another could be taken.
Bf16Path bf16_path();
bool can_take(Bf16Path path);
/// "AMX", "tiles of oneDNN", "float32": how the products are made.
const char* to_string(Bf16Path path);

/// a [.., K] · b [K,N] → [.., N] float32. float32 or bf16, each; rows or columns of b side by side (b.t() of a weight
/// [N,K] costs nothing), of `a` too where it is a matrix.
/// Where `start` [N] is defined it is added to every row.
at::Tensor bf16_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& start = {});
at::Tensor bf16_product(const at::Tensor& a, const at::Tensor& b, Bf16Path path, const at::Tensor& start = {});

/// result [M,N] float32, rows contiguous, = a [M,K] · b [K,N].
void put_bf16_product(const at::Tensor& result, const at::Tensor& a, const at::Tensor& b);

/// sum [M,N] float32, rows contiguous, += a [M,K] · b [K,N].
void add_bf16_product(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);
void add_bf16_product(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b, Bf16Path path);

}  // namespace assay::kernel
