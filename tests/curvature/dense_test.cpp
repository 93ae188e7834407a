// Dense curvature against explicit inverses in float64: by Cholesky, in the dual form, and without damping.
#include "assay/curvature/dense.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/linalg_pinv.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "tests/support/errors.h"

namespace assay::curvature {
namespace {

constexpr LayerShape kShape{3, 4};
constexpr int64_t kSize = 12;

double difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

DenseCurvature of_rows(const at::Tensor& rows) {
  return DenseCurvature("dense", {{4, {.name = "layer", .shape = kShape, .rows = rows}}});
}
DenseCurvature of_matrix(const at::Tensor& rows) {
  const at::Tensor matrix = rows.t().matmul(rows).div(static_cast<double>(rows.size(0)));
  return DenseCurvature("dense", {{4, {.name = "layer", .shape = kShape, .matrix = matrix}}});
}

TEST(DenseCurvature, SolvesAsItsInverseInBothForms) {
  for (const int64_t count : {5, 40}) {  // fewer vectors than dimensions, and more
    const at::Tensor rows = at::randn({count, kSize}, at::kDouble), v = at::randn({6, 3, 4}, at::kDouble);
    const at::Tensor matrix = rows.t().matmul(rows).div(static_cast<double>(count));
    const double added = 0.2 * matrix.trace().item<double>() / kSize;
    const at::Tensor inverse = at::linalg_inv(matrix.add(at::eye(kSize, at::kDouble), added));
    const at::Tensor solved = v.flatten(1).matmul(inverse).view({6, 3, 4});
    const at::Tensor norm = v.flatten(1).matmul(inverse).mul(v.flatten(1)).sum({1});
    const auto damping = Damping::relative(0.2);
    for (const DenseCurvature& curvature : {of_rows(rows), of_matrix(rows)}) {
      EXPECT_LT(difference(curvature.solve(v, 4, damping), solved), 1e-11);
      EXPECT_LT(difference(curvature.inverse(4, damping)->norm(v), norm), 1e-11);
      EXPECT_NEAR(curvature.mean_eigenvalue(4), matrix.trace().item<double>() / kSize, 1e-12);
      EXPECT_LT(difference(curvature.diagonal(4).flatten(), matrix.diagonal()), 1e-12);
      EXPECT_NEAR(curvature.eigenvalues(4).sum().item<double>(), matrix.trace().item<double>(), 1e-11);
      const at::Tensor squared = curvature.apply(v, 4, [](const at::Tensor& values) { return values.square(); });
      EXPECT_LT(difference(squared.flatten(1), v.flatten(1).matmul(matrix).matmul(matrix)), 1e-11);
    }
    const ScopedTwin twin("curvature.dual_without_the_count");
    EXPECT_GT(difference(of_rows(rows).solve(v, 4, damping), solved), 1e-2);
  }
}

TEST(DenseCurvature, WithoutDampingLeavesOutWhatNoVectorHas) {
  const at::Tensor rows = at::randn({5, kSize}, at::kDouble), v = at::randn({3, 4}, at::kDouble).unsqueeze(0);
  const at::Tensor pseudo = at::linalg_pinv(rows.t().matmul(rows).div(5), 1e-10, /*hermitian=*/true);
  const at::Tensor expected = v.flatten(1).matmul(pseudo);
  EXPECT_LT(difference(of_rows(rows).solve(v, 4, Damping::none()).flatten(1), expected), 1e-9);
  EXPECT_LT(difference(of_matrix(rows).solve(v, 4, Damping::none()).flatten(1), expected), 1e-9);
  const DenseCurvature nothing = of_rows(at::zeros({5, kSize}, at::kDouble));
  EXPECT_EQ(nothing.solve(v, 4, Damping::relative(0.1)).abs().max().item<double>(), 0);
}

TEST(DenseCurvature, RefusesAMatrixThatIsNotPositive) {
  const at::Tensor matrix = at::eye(kSize, at::kDouble).clone();
  matrix[3][3] = -5;
  matrix[4][4] = 9;
  const DenseCurvature broken("dense", {{0, {.name = "blocks.0.up", .shape = kShape, .matrix = matrix}}});
  EXPECT_THAT(error_of([&] { broken.inverse(0, Damping::relative(0.1)); }),
              Refusal(ErrorKind::Numeric, "the curvature of \"blocks.0.up\""));
}

}  // namespace
}  // namespace assay::curvature
