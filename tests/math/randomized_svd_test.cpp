#include "assay/math/randomized_svd.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::math {
namespace {

at::Tensor noise(int64_t rows, int64_t columns, uint64_t seed) {
  at::Tensor numbers = at::empty({rows, columns}, at::kDouble);
  for (int64_t i = 0; i < numbers.numel(); ++i)
    numbers.data_ptr<double>()[i] = random_normal(seed, 1, static_cast<uint64_t>(i));
  return numbers;
}

/// [1,O,M] with singular values 1/j: flat enough that a random range alone misses some of the best one.
at::Tensor with_falling_values(int64_t rows, int64_t columns, uint64_t seed) {
  const int64_t least = std::min(rows, columns);
  const at::Tensor left = std::get<0>(at::linalg_qr(noise(rows, least, seed)));
  const at::Tensor right = std::get<0>(at::linalg_qr(noise(columns, least, seed + 1)));
  return left.mul(at::arange(1, least + 1, at::kDouble).reciprocal()).matmul(right.t()).unsqueeze(0);
}

double least_possible_loss(const at::Tensor& matrix, int64_t rank) {
  const at::Tensor values = std::get<1>(at::linalg_svd(matrix.select(0, 0)));
  return values.narrow(0, rank, values.numel() - rank).square().sum().item<double>();
}

TEST(RandomizedSvd, FindsAMatrixOfThatRankExactly) {
  const at::Tensor matrix = noise(60, 5, 3).matmul(noise(5, 90, 4)).unsqueeze(0);
  const LowRank found = randomized_svd(matrix, 5, 0);
  // Rounding of products of depth 90 and numbers near 10.
  EXPECT_LT(found.left.matmul(found.right).sub(matrix).abs().max().item<double>(), 1e-11);
  EXPECT_LT(found.lost.item<double>(), 1e-10 * matrix.square().sum().item<double>());
  EXPECT_LT(found.right.select(0, 0)
                .matmul(found.right.select(0, 0).t())
                .sub(at::eye(5, at::kDouble))
                .abs()
                .max()
                .item<double>(),
            1e-12);
}

TEST(RandomizedSvd, LosesHardlyMoreThanTheBest) {
  const at::Tensor matrix = with_falling_values(120, 80, 7);
  for (const int64_t rank : {1, 4, 16}) {
    const auto excess = [&] {
      double sum = 0;
      for (uint64_t seed = 0; seed < 5; ++seed)
        sum += randomized_svd(matrix, rank, seed).lost.item<double>() / least_possible_loss(matrix, rank) / 5;
      return sum;
    };
    // Directions beyond the rank enter with (σ_j/σ_i)^5 after two power iterations: some per mille here.
    EXPECT_GE(excess(), 1 - 1e-9);
    EXPECT_LT(excess(), 1.005) << rank;
    const ScopedTwin twin("math.svd_without_power_iterations");
    EXPECT_GT(excess(), 1.005) << rank;
  }
}

TEST(RandomizedSvd, SaysWhatItLoses) {
  const at::Tensor matrix = with_falling_values(40, 70, 9);
  for (const int64_t rank : {1, 3, 12, 40, 500}) {  // by projection, exactly, whole
    const LowRank found = randomized_svd(matrix, rank, 0);
    const double measured = matrix.sub(found.left.matmul(found.right)).square().sum().item<double>();
    EXPECT_NEAR(found.lost.item<double>(), measured, 1e-12) << rank;
    EXPECT_EQ(found.left.size(2), std::min<int64_t>(rank, 40));
  }
}

TEST(RandomizedSvd, LosesNothingAtFullRankInFloat32) {
  const auto largest_error = [] {
    double largest = 0;
    for (uint64_t seed = 0; seed < 8; ++seed) {
      const at::Tensor matrix = noise(60, 80, seed).to(at::kFloat).unsqueeze(0);
      const double lost = randomized_svd(matrix, 60, 0).lost.item<double>();
      largest = std::max(largest, std::sqrt(lost / matrix.square().sum().item<double>()));
    }
    return largest;
  };
  // Rounding of a decomposition and of products of depth 60: ε·√60 = 5e-7 of the length, and some.
  EXPECT_LT(largest_error(), 5e-6);
  const ScopedTwin twin("math.lost_as_a_difference_of_squares");  // below zero it is cut to it: not every seed shows it
  EXPECT_GT(largest_error(), 5e-6);
}

TEST(RandomizedSvd, AMatrixIsTheSameInAnyCompany) {
  const at::Tensor first = with_falling_values(50, 60, 1), second = with_falling_values(50, 60, 5);
  const LowRank both =
      randomized_svd(at::Tensor(at::zeros({2, 50, 60}, at::kDouble)).copy_(first.expand({2, 50, 60})), 3, 2);
  at::Tensor pair = at::zeros({2, 50, 60}, at::kDouble);
  pair.select(0, 0).copy_(first.select(0, 0));
  pair.select(0, 1).copy_(second.select(0, 0));
  const at::Tensor alone = randomized_svd(second, 3, 2).left.abs(),
                   together = randomized_svd(pair, 3, 2).left.select(0, 1).abs();
  EXPECT_LT(alone.select(0, 0).sub(together).abs().max().item<double>(), 1e-12);
  EXPECT_LT(both.left.select(0, 0).sub(both.left.select(0, 1)).abs().max().item<double>(), 1e-12);
}

TEST(RandomizedSvd, NothingStaysNothing) {
  const LowRank found = randomized_svd(at::zeros({1, 40, 40}, at::kFloat), 2, 0);
  EXPECT_EQ(found.left.matmul(found.right).abs().max().item<float>(), 0);
  EXPECT_EQ(found.lost.item<double>(), 0);
}

}  // namespace
}  // namespace assay::math
