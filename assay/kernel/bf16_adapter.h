// Functions inside LibTorch's library that multiply matrices of bf16, and small ones of float32, with float32 results.
// None is documented, so they are looked up by name when they are first wanted, tried on a small case, and treated as
// absent where they are missing, throw, or are wrong. Nothing else in Assay names them.
//
//   tile         oneDNN's micro-kernel, one small tile at a time on the calling thread: fast with AVX-512 BF16
//   tile_single  the same on float32, which at a depth of 16 is twice as fast as a product through LibTorch's door
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace assay::kernel {

struct Bf16Functions {
  /// C [m,n] = A·B, or C + A·B; A [m,k] row-major; k even; B in pairs: [k/2,n,2], ldb counted in pairs.
  using Tile = void (*)(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc, bool add,
                        const at::BFloat16* a, const at::BFloat16* b, float* c, bool in_pairs);
  using TileSingle = void (*)(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc, bool add,
                              const float* a, const float* b, float* c, bool in_pairs);
  /// To be called by a thread that has called one of the tiles, when it has done with it.
  using Release = void (*)(bool in_pairs);

  Tile tile = nullptr;
  TileSingle tile_single = nullptr;
  Release release = nullptr;
};

/// What this LibTorch has and this processor runs; null where it does not.
const Bf16Functions& bf16_functions();

/// Those of `found` that give the right results on a small case, added and not; null for the others.
Bf16Functions tried(Bf16Functions found);

}  // namespace assay::kernel
