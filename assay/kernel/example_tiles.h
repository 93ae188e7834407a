// The gradients D_i = g_iᵀ a_i of the examples of a batch, one tile of 64 x 64 at a time and all examples inside it, so
// that no D_i is ever written to memory: with short texts that traffic is the whole cost. A tile comes from oneDNN's
// micro-kernel with the depth T and stays in the core's innermost caches while it is squared and added up, or
// multiplied with the queries.
//
//   add_squares_by_tiles   Σ_i D_i²                   B·T·O·M multiply-adds and B·O·M on the way
//   QueryTiles::dot        ⟨D_i, U_q⟩ for Q queries   and Q·B·O·M
//
// float32 is exact up to rounding; bf16 inputs, summed in float32, where the processor is fast at them. Sums over
// examples go in order within fixed groups: the bits do not depend on the threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// Whether this machine has the micro-kernel for these inputs: float32 or bf16, both the same.
bool can_tile(const at::Tensor& g, const at::Tensor& a);

/// sum [O,M] float32, rows contiguous, += Σ_i (g_iᵀ a_i)², elementwise. g [B,T,O], a [B,T,M].
void add_squares_by_tiles(const at::Tensor& sum, const at::Tensor& g, const at::Tensor& a);

/// Whether whole gradients [B,O,M] should be avoided for this many queries: several D_i do not fit a core's cache, and
/// laying the queries out, which costs as much as reading two gradients each, is not the larger part.
bool avoids_whole_gradients(const at::Tensor& g, const at::Tensor& a, int64_t queries);

/// Whether then tiles beat Q products Uq a_t, position by position, which take Q·T multiply-adds where tiles take T, a
/// few more for passing through the cache, and a few for each query.
bool tiles_pay(int64_t positions, int64_t queries);

/// Queries U [Q,O,M] laid out tile after tile, once for many batches; as large as the queries themselves.
class QueryTiles {
 public:
  explicit QueryTiles(const at::Tensor& queries);

  /// ⟨U_q, D_i⟩: [Q,B] float32. can_tile(g, a) must hold.
  [[nodiscard]] at::Tensor dot(const at::Tensor& g, const at::Tensor& a) const;

 private:
  /// scores [count,Q] += the tiles `products` of as many examples times this tile of the queries.
  void multiply(int64_t tile, const float* products, int64_t count, float* scores) const;

  int64_t queries_, rows_, columns_;
  bool side_by_side_;  ///< [tiles, 64·64, Q] for many queries, else [tiles, Q, 64·64]
  at::Tensor tiles_;
};

}  // namespace assay::kernel
