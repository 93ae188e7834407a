// Decompositions against the matrices they are of: in float64, in float32 where those are large, several at a time.
#include "assay/curvature/eigenbasis.h"

#include <ATen/ops/diag_embed.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/logspace.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "assay/core/twin.h"
#include "assay/curvature/rotations.h"
#include "tests/support/threads.h"

namespace assay::curvature {
namespace {

/// A covariance whose eigenvalues span six orders of magnitude, as those of activations do.
at::Tensor covariance_of(int64_t size) {
  at::manual_seed(static_cast<uint64_t>(size));
  const at::Tensor x = at::randn({2 * size, size}, at::kDouble).mul(at::logspace(0, -3, size, 10, at::kDouble));
  return x.t().matmul(x).div(static_cast<double>(2 * size)).to(at::kFloat);
}

struct Misfit {
  double matrix = 0;         ///< ‖Q Λ Qᵀ − A‖ / ‖A‖
  double orthogonality = 0;  ///< largest of |QᵀQ − 1|
};

Misfit misfit_of(const Eigen& eigen, const at::Tensor& matrix) {
  const at::Tensor a = matrix.to(at::kDouble), q = eigen.vectors.to(at::kDouble);
  const at::Tensor again = q.mul(eigen.values).matmul(q.t());
  return {again.sub(a).norm().item<double>() / a.norm().item<double>(),
          q.t().matmul(q).sub(at::eye(a.size(0), at::kDouble)).abs().max().item<double>()};
}

// Backward stable: the exact decomposition of A + E with ‖E‖ a small multiple of √n·ε·‖A‖. Measured 3 ε √n;
// asserted 10.
TEST(Eigenbasis, FitsTheMatrixInEitherType) {
  for (const int64_t size : {64, 576}) {
    const at::Tensor matrix = covariance_of(size);
    EXPECT_EQ(decomposed_in(at::kFloat, size), size < kLargeMatrix ? at::kDouble : at::kFloat);
    const double bound = 10 * std::sqrt(static_cast<double>(size)) * std::numeric_limits<float>::epsilon();
    const Misfit misfit = misfit_of(eigen_of(matrix), matrix);
    EXPECT_LT(misfit.matrix, bound) << size;
    EXPECT_LT(misfit.orthogonality, bound) << size;
    const ScopedTwin twin("curvature.eigenvectors_as_rows");
    EXPECT_GT(misfit_of(eigen_of(matrix), matrix).matrix, 100 * bound) << size;
  }
  EXPECT_EQ(decomposed_in(at::kDouble, 4096), at::kDouble);
}

// What the fit is used for: 1/(λ + damping) in either basis does the same to a gradient.
TEST(Eigenbasis, SolvesAlikeInEitherType) {
  const at::Tensor matrix = covariance_of(576);
  const auto solved = [&](const Eigen& eigen, const at::Tensor& v) {
    const at::Tensor q = eigen.vectors.to(at::kDouble);
    const double damping = 0.1 * eigen.values.mean().item<double>();
    return q.matmul(q.t().matmul(v).div(eigen.values.add(damping).unsqueeze(1)));
  };
  at::manual_seed(1);
  const at::Tensor v = at::randn({576, 4}, at::kDouble);
  const at::Tensor exact = solved(eigen_of(matrix.to(at::kDouble)), v), found = solved(eigen_of(matrix), v);
  // A relative change ε√n·‖A‖/damping of what is inverted: 3e-6 · λ_max/(0.1 · mean λ).
  const Eigen eigen = eigen_of(matrix);
  const double bound = 10 * std::sqrt(576.0) * std::numeric_limits<float>::epsilon() *
                       eigen.values.max().item<double>() / (0.1 * eigen.values.mean().item<double>());
  EXPECT_LT(found.sub(exact).norm().item<double>() / exact.norm().item<double>(), bound);
}

std::vector<Eigen> each_of(const std::vector<at::Tensor>& matrices) {
  std::vector<Eigen> found(matrices.size());
  eigen_of_each(
      std::ssize(matrices), 2, [&](int64_t i) { return matrices[static_cast<size_t>(i)]; },
      [&](int64_t i, const Eigen& eigen) { found[static_cast<size_t>(i)] = eigen; });
  return found;
}

// What throws, throws to the caller, and nothing further is begun once all in hand are through.
TEST(Eigenbasis, AnExceptionEndsTheRest) {
  const at::Tensor matrix = covariance_of(24);
  const auto done_with = [&](int threads) {
    const ScopedThreads scoped(threads);
    int done = 0;
    const auto run = [&] {
      eigen_of_each(
          40, 2, [&](int64_t) { return matrix; },
          [&](int64_t, const Eigen&) {
            if (++done == 3) throw std::runtime_error("stopped");
          });
    };
    EXPECT_THROW(run(), std::runtime_error);
    return done;
  };
  for (const int threads : {1, 2}) EXPECT_LE(done_with(threads), 3 + threads);
#ifndef __clang__  // whose builds are serial: CMakeLists.txt
  const ScopedTwin twin("curvature.the_rest_goes_on");
  EXPECT_GT(done_with(2), 3 + 2);
#endif
}

TEST(Eigenbasis, AsManyAreDecomposedAsTheMemoryHolds) {
  const ScopedThreads scoped(2);
  const int64_t each = decomposition_bytes(1000, at::kFloat);
  EXPECT_EQ(each, 4 * 1000 * 1000 * 4);
  EXPECT_EQ(decomposed_at_once(1000, at::kFloat, 100 * each), 2);
  const auto with_little = [&] { return decomposed_at_once(1000, at::kFloat, each / 2); };
  EXPECT_EQ(with_little(), 1);
  const ScopedTwin twin("curvature.decomposed_whatever_the_memory");
  EXPECT_EQ(with_little(), 2);
}

// Layers that shared a rotation go on sharing it, rounded once, and nobody keeps it unrounded.
TEST(Rotations, AreTakenOnceAndShared) {
  const Eigen input = eigen_of(covariance_of(24)), output = eigen_of(covariance_of(16));
  const auto taken = [&] {
    std::map<nn::LayerId, LayerBasis> bases;
    for (const nn::LayerId layer : {0, 1})
      bases[layer] = {.input = input, .output = {output.values, output.vectors.clone()}, .positions = 1, .examples = 1};
    auto blocks = take_rotations(bases, at::kBFloat16);
    for (const auto& [layer, basis] : bases)
      EXPECT_TRUE(basis.input.values.defined() && !basis.input.vectors.defined() && !basis.output.vectors.defined());
    return blocks;
  };
  const auto differs = [&] {
    const auto blocks = taken();
    return !blocks.at(0).input_basis.is_same(blocks.at(1).input_basis) ||
           !blocks.at(0).input_basis.equal(input.vectors.to(at::kBFloat16)) ||
           !blocks.at(1).output_basis.equal(output.vectors.to(at::kBFloat16));
  };
  EXPECT_FALSE(differs());
  EXPECT_FALSE(taken().at(0).output_basis.is_same(taken().at(1).output_basis));
  const ScopedTwin twin("curvature.shared_rotation_rounded_twice");
  EXPECT_TRUE(differs());
}

TEST(Eigenbasis, SeveralAtATimeAreTheSameBitsAsOneByOne) {
  const std::vector<at::Tensor> matrices{covariance_of(520), covariance_of(48), covariance_of(513)};
  for (const int threads : {1, 2}) {
    const ScopedThreads scoped(threads);
    const auto found = each_of(matrices);
    for (size_t i = 0; i < matrices.size(); ++i) {
      const Eigen alone = each_of({matrices[i]}).front();
      EXPECT_TRUE(found[i].values.equal(alone.values)) << i;
      EXPECT_TRUE(found[i].vectors.equal(alone.vectors)) << i;
    }
  }
}

}  // namespace
}  // namespace assay::curvature
