#include "assay/math/randomized_svd.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::math {
namespace {

constexpr int64_t kOversampling = 8;
constexpr int kPowerIterations = 2;

at::Tensor orthonormal(const at::Tensor& columns) {
  return std::get<0>(at::linalg_qr(columns));
}

at::Tensor random_columns(int64_t rows, int64_t columns, uint64_t seed, const at::TensorOptions& options) {
  at::Tensor drawn = at::empty({rows, columns}, at::kDouble);
  double* numbers = drawn.data_ptr<double>();
  for (int64_t i = 0; i < drawn.numel(); ++i)
    numbers[i] = random_normal(seed, stream_of("randomized svd"), static_cast<uint64_t>(i));
  return drawn.to(options.dtype());
}

/// An orthonormal basis [B,O,n] of nearly the leading n columns' span.
at::Tensor leading_range(const at::Tensor& a, int64_t columns, uint64_t seed) {
  const at::Tensor transposed = a.transpose(1, 2);
  at::Tensor range = orthonormal(a.matmul(random_columns(a.size(2), columns, seed, a.options())));
  const int times = ASSAY_TWIN("math.svd_without_power_iterations") ? 0 : kPowerIterations;
  for (int i = 0; i < times; ++i) range = orthonormal(a.matmul(orthonormal(transposed.matmul(range))));
  return range;
}

at::Tensor squared_norms(const at::Tensor& matrices) {
  return matrices.to(at::kDouble).square().sum({1, 2});
}

/// From the residual itself: a difference of squares would have the rounding of ‖A‖², 3e-4 of its length in float32.
at::Tensor lost_by(const LowRank& found, const at::Tensor& matrices) {
  at::Tensor lost = at::empty({matrices.size(0)}, at::kDouble);
  for (int64_t i = 0; i < matrices.size(0); ++i) {  // one at a time, for the memory
    const at::Tensor residual = at::addmm(matrices[i], found.left[i], found.right[i], /*beta=*/1, /*alpha=*/-1);
    lost[i].copy_(residual.to(at::kDouble).square().sum());
  }
  return lost;
}

}  // namespace

LowRank randomized_svd(const at::Tensor& matrices, int64_t rank, uint64_t seed) {
  ASSAY_ASSERT(matrices.dim() == 3 && rank >= 1);
  const int64_t least = std::min(matrices.size(1), matrices.size(2)), kept = std::min(rank, least);
  const int64_t columns = kept + kOversampling;
  const bool exact = 2 * columns >= least;
  const at::Tensor range = exact ? at::Tensor() : leading_range(matrices, columns, seed);
  const at::Tensor small = exact ? matrices : range.transpose(1, 2).matmul(matrices);
  const auto [u, values, v] = at::linalg_svd(small, /*full_matrices=*/false);
  const at::Tensor scaled = u.narrow(2, 0, kept).mul(values.narrow(1, 0, kept).unsqueeze(1));
  LowRank found{exact ? scaled.contiguous() : range.matmul(scaled), v.narrow(1, 0, kept).contiguous(), {}};
  found.lost = lost_by(found, matrices);
  if (ASSAY_TWIN("math.lost_as_a_difference_of_squares"))
    found.lost = squared_norms(matrices).sub(squared_norms(found.left)).clamp_min(0);
  return found;
}

}  // namespace assay::math
