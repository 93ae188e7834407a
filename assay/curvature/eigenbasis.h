// Eigenvectors of a layer's Kronecker factors, in which K-FAC and EK-FAC are diagonal, stored in the model's type;
// eigenvalues below zero are rounding and become zero. O(M³ + O³) a layer; layers that share an input are decomposed
// once.
//
// Decomposed in float64, but for large matrices that were summed in float32 (from kLargeMatrix on): what float32 adds
// there, some n·ε of the largest eigenvalue, is what the sums have lost already, and it takes half the time.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "assay/curvature/covariance.h"

namespace assay::curvature {

struct Eigen {
  at::Tensor values;   ///< [n], ascending, none negative, float64
  at::Tensor vectors;  ///< [n,n], one a column
};

constexpr int64_t kLargeMatrix = 512;

/// In which type a matrix of this type and size is decomposed.
at::ScalarType decomposed_in(at::ScalarType dtype, int64_t size);

/// Of a symmetric positive semi-definite matrix; `vectors` in the matrix's own type.
Eigen eigen_of(const at::Tensor& matrix);

/// What decomposing a matrix of this type holds beside the sums and the result.
int64_t decomposition_bytes(int64_t size, at::ScalarType dtype);
/// How many such are decomposed at once: one a thread, within the memory.
int64_t decomposed_at_once(int64_t size, at::ScalarType dtype, int64_t memory_bytes);

/// Of `count` matrices, `at_once`, one a thread: a single decomposition hardly gains from a second thread. A thread
/// that has done with one takes the next, so the largest had better come first. `done` is called by one thread at a
/// time, in any order; the bits are those of one by one. The first exception ends it, once the matrices in hand are
/// through.
void eigen_of_each(int64_t count, int64_t at_once, const std::function<at::Tensor(int64_t)>& matrix,
                   const std::function<void(int64_t, const Eigen&)>& done);

/// How many eigenvalues stand above rounding: n · machine epsilon of the type the sums were kept in, times the largest.
int64_t rank_of(const at::Tensor& values, at::ScalarType kept_in);
/// ‖X‖²_F / ‖X‖²₂: how many directions carry the matrix. 0 for a zero matrix.
double stable_rank_of(const at::Tensor& values);

/// What is known of a layer once its first pass is over.
struct LayerBasis {
  Eigen input;           ///< of A [M,M]
  Eigen output;          ///< of S [O,O]
  double positions = 0;  ///< unmasked positions seen
  int64_t examples = 0;  ///< examples seen

  /// Λ of K-FAC, (positions/examples) s aᵀ [O,M]: the second moment of a whole example's gradient if its positions were
  /// independent. Without the first factor it would be that of one position, and a text's curvature T times too small.
  at::Tensor kronecker_eigenvalues() const;
};

}  // namespace assay::curvature
