#include "assay/curvature/eigenbasis.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/outer.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include "assay/core/twin.h"

namespace assay::curvature {

at::ScalarType decomposed_in(at::ScalarType dtype, int64_t size) {
  return dtype == at::kFloat && size >= kLargeMatrix ? at::kFloat : at::kDouble;
}

Eigen eigen_of(const at::Tensor& matrix) {
  const auto decomposed = at::linalg_eigh(matrix.to(decomposed_in(matrix.scalar_type(), matrix.size(0))));
  const at::Tensor values = std::get<0>(decomposed).to(at::kDouble).clamp_min(0);
  const at::Tensor& columns = std::get<1>(decomposed);
  const at::Tensor vectors = ASSAY_TWIN("curvature.eigenvectors_as_rows") ? columns.t() : columns;
  if (ASSAY_TWIN("curvature.smallest_eigenvalue_lost")) values.select(0, 0).zero_();
  return {values, vectors.contiguous().to(matrix.scalar_type())};
}

int64_t decomposition_bytes(int64_t size, at::ScalarType dtype) {
  const auto element = static_cast<int64_t>(c10::elementSize(decomposed_in(dtype, size)));
  return 4 * size * size * element;  // the mean, its vectors, and LAPACK's work of twice its size
}

int64_t decomposed_at_once(int64_t size, at::ScalarType dtype, int64_t memory_bytes) {
  if (ASSAY_TWIN("curvature.decomposed_whatever_the_memory")) return at::get_num_threads();
  return std::clamp<int64_t>(memory_bytes / std::max<int64_t>(1, decomposition_bytes(size, dtype)), 1,
                             at::get_num_threads());
}

void eigen_of_each(int64_t count, int64_t at_once, const std::function<at::Tensor(int64_t)>& matrix,
                   const std::function<void(int64_t, const Eigen&)>& done) {
  std::atomic<int64_t> next{0};
  std::mutex one_at_a_time;
  const auto one = [&](int64_t i) {
    const Eigen found = eigen_of(matrix(i));
    const std::scoped_lock lock(one_at_a_time);
    try {
      done(i, found);
    } catch (...) {
      if (!ASSAY_TWIN("curvature.the_rest_goes_on")) next = count;  // before another can be done
      throw;
    }
  };
  // Also a single one within a parallel region, where the library below takes one thread: what a matrix gives must not
  // depend on its company.
  at::parallel_for(0, std::max<int64_t>(2, at::get_num_threads()), 1, [&](int64_t worker, int64_t) {
    const at::NoGradGuard no_history;
    if (worker >= std::max<int64_t>(1, at_once)) return;
    try {
      for (int64_t i = next++; i < count; i = next++) one(i);
    } catch (...) {
      if (!ASSAY_TWIN("curvature.the_rest_goes_on")) next = count;
      throw;
    }
  });
}

int64_t rank_of(const at::Tensor& values, at::ScalarType kept_in) {
  const double epsilon =
      kept_in == at::kDouble ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  const double rounding = static_cast<double>(values.size(0)) * epsilon * values.max().item<double>();
  return values.gt(rounding).sum().item<int64_t>();
}

double stable_rank_of(const at::Tensor& values) {
  const double largest = values.max().item<double>();
  return largest > 0 ? values.square().sum().item<double>() / (largest * largest) : 0;
}

at::Tensor LayerBasis::kronecker_eigenvalues() const {
  const double positions_per_example =
      ASSAY_TWIN("curvature.kfac_of_one_position") ? 1 : positions / static_cast<double>(examples);
  return at::outer(output.values, input.values).mul(positions_per_example).to(input.vectors.scalar_type());
}

}  // namespace assay::curvature
