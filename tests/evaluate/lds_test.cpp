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

// Scores that order the subsets but for noise: what is drawn stays near the score of all subsets.
TEST(LdsOverSubsets, LiesAroundTheScore) {
  Linear linear;
  for (uint64_t j = 0; j < 30; ++j)
    for (uint64_t q = 0; q < 2; ++q) linear.bank.measurement[0][j][q] += random_normal(5, q, j);
  const double mean = linear_datamodeling_score(linear.weights, linear.bank).mean;
  EXPECT_GT(mean, 0.7);
  const auto lies_around = [&] {
    const math::Interval interval = lds_interval_over_subsets(linear.weights, linear.bank);
    return interval.low < mean && mean < interval.high && interval.low > 0.5 && interval.high < 1;
  };
  EXPECT_TRUE(lies_around());
  const ScopedTwin twin("evaluate.lds_subsets_drawn_apart");
  EXPECT_FALSE(lies_around());
}

// Coverage: of 200 banks of 40 subsets whose outcomes have nothing to do with the scores, at 95 % some 190 intervals
// hold zero; 176 to 199 are four standard deviations about that, less what a percentile bootstrap lacks at 40.
TEST(LdsOverSubsets, HoldsTheTruthAsOftenAsItSays) {
  const auto times_held = [] {
    int held = 0;
    for (uint64_t bank_seed = 0; bank_seed < 200; ++bank_seed) {
      RetrainingBank bank;
      std::vector<std::vector<double>> scores(1, std::vector<double>(40));
      bank.measurement.resize(1);
      for (uint64_t j = 0; j < 40; ++j) {
        scores[0][j] = random_normal(7, bank_seed, j);
        bank.subsets.push_back({static_cast<int64_t>(j)});
        bank.measurement[0].push_back({random_normal(8, bank_seed, j)});
      }
      const math::Interval interval = lds_interval_over_subsets(scores, bank, {.resamples = 200, .seed = bank_seed});
      held += interval.low <= 0 && interval.high >= 0 ? 1 : 0;
    }
    return held;
  };
  const auto fits = [](int count) { return count >= 176 && count <= 199; };
  EXPECT_TRUE(fits(times_held()));
  const ScopedTwin twin("math.bootstrap_without_replacement");
  EXPECT_FALSE(fits(times_held()));
}

TEST(LdsOverSubsets, OfTheTrueWeightsIsAPoint) {
  const Linear linear;
  const math::Interval interval = lds_interval_over_subsets(linear.weights, linear.bank);
  EXPECT_DOUBLE_EQ(interval.low, 1);
  EXPECT_DOUBLE_EQ(interval.high, 1);
}

TEST(LdsCeiling, IsOneWhereSeedsAgreeAndNothingWithOneSeed) {
  Linear linear;
  EXPECT_TRUE(std::isnan(lds_ceiling(linear.bank)));
  linear.bank.measurement.push_back(linear.bank.measurement[0]);
  EXPECT_DOUBLE_EQ(lds_ceiling(linear.bank), 1);
}

}  // namespace
}  // namespace assay::evaluate
