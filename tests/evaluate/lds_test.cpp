#include "assay/evaluate/lds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::evaluate {
namespace {

// f_j = Σ_{i in S_j} w_i exactly, for two queries and equal subsets of 20 examples.
struct Linear {
  std::vector<std::vector<double>> weights{std::vector<double>(20), std::vector<double>(20)};
  RetrainingBank bank;

  Linear() {
    for (uint64_t q = 0; q < 2; ++q) {
      for (uint64_t i = 0; i < 20; ++i) weights[q][i] = random_normal(1, q, i);
    }
    bank.measurement.resize(1);
    for (uint64_t j = 0; j < 30; ++j) {
      std::vector<std::pair<uint64_t, int64_t>> order;
      for (uint64_t i = 0; i < 20; ++i) order.emplace_back(random_bits(2, j, i), static_cast<int64_t>(i));
      std::ranges::sort(order);
      bank.subsets.emplace_back();
      std::vector<double> f(2, 0.0);
      for (size_t k = 0; k < 10; ++k) {
        bank.subsets.back().push_back(order[k].second);
        for (size_t q = 0; q < 2; ++q) f[q] += weights[q][static_cast<size_t>(order[k].second)];
      }
      bank.measurement[0].push_back(f);
    }
  }
};

TEST(Lds, OfTheTrueWeightsIsOneAndOfTheirNegativesMinusOne) {
  const Linear linear;
  EXPECT_DOUBLE_EQ(linear_datamodeling_score(linear.weights, linear.bank).mean, 1);
  auto negated = linear.weights;
  for (auto& row : negated) {
    for (double& value : row) value = -value;
  }
  EXPECT_DOUBLE_EQ(linear_datamodeling_score(negated, linear.bank).mean, -1);
  const ScopedTwin twin("evaluate.lds_over_dropped");
  EXPECT_DOUBLE_EQ(linear_datamodeling_score(linear.weights, linear.bank).mean, -1);
}

TEST(Lds, DoesNotSeeScaleShiftOrMonotoneMaps) {
  Linear linear;
  auto scores = linear.weights;
  for (auto& row : scores) {
    for (double& value : row) value = 3 * value + 7;  // every subset has ten members: the same shift for all
  }
  for (auto& outcome : linear.bank.measurement[0]) {
    for (double& value : outcome) value = std::exp(value);
  }
  EXPECT_NEAR(linear_datamodeling_score(scores, linear.bank).mean, 1, 1e-12);
}

TEST(Lds, LeavesOutAColumnWithoutSpread) {
  Linear linear;
  linear.weights[1].assign(20, 0.0);
  const Lds lds = linear_datamodeling_score(linear.weights, linear.bank);
  EXPECT_EQ(lds.without_spread, 1);
  EXPECT_TRUE(std::isnan(lds.per_query[1]));
  EXPECT_DOUBLE_EQ(lds.mean, 1);
}

TEST(LdsCeiling, IsOneWhereSeedsAgreeAndNothingWithOneSeed) {
  Linear linear;
  EXPECT_TRUE(std::isnan(lds_ceiling(linear.bank)));
  linear.bank.measurement.push_back(linear.bank.measurement[0]);
  EXPECT_DOUBLE_EQ(lds_ceiling(linear.bank), 1);
}

}  // namespace
}  // namespace assay::evaluate
