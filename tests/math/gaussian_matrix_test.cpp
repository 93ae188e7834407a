#include "assay/math/gaussian_matrix.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::math {
namespace {

TEST(GaussianMatrix, HasTheMomentsOfItsDistribution) {
  const at::Tensor m =
      gaussian_matrix(400, 500, 2, 1, "moments");  // 200,000 numbers: standard errors 0.0045 and 0.0063
  EXPECT_NEAR(m.mean().item<double>(), 0, 0.02);
  EXPECT_NEAR(m.square().mean().item<double>(), 4, 0.06);
  EXPECT_NEAR(m.pow(4).mean().item<double>() / 16, 3, 0.1);
  EXPECT_NEAR(m.narrow(1, 0, 499).mul(m.narrow(1, 1, 499)).mean().item<double>(), 0, 0.04) << "neighbours";
}

TEST(GaussianMatrix, BelongsToSeedAndName) {
  const at::Tensor m = gaussian_matrix(3, 5, 1, 7, "a");
  EXPECT_TRUE(m.equal(gaussian_matrix(3, 5, 1, 7, "a")));
  EXPECT_FALSE(m.equal(gaussian_matrix(3, 5, 1, 8, "a")));
  EXPECT_FALSE(m.equal(gaussian_matrix(3, 5, 1, 7, "b")));
  EXPECT_TRUE(m.equal(gaussian_matrix(4, 5, 1, 7, "a").narrow(0, 0, 3))) << "more rows begin with the same";
}

}  // namespace
}  // namespace assay::math
