#include "assay/evaluate/removal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::evaluate {
namespace {

// The mean of numbers is the one-parameter model whose answer can be had without its documents: θ = mean(x), measured
// is θ itself, loss ½(θ − x)², curvature 1, so score_i = −(θ − x_i) and the removal of i changes θ by −(x_i − θ)/(N −
// 1).
struct MeanModel {
  std::vector<double> x{1, 4, -2, 7, 0, 3, 5, -1, 2, 6};

  double fit(const std::vector<int64_t>& removed) const {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i)
      if (std::find(removed.begin(), removed.end(), static_cast<int64_t>(i)) == removed.end()) sum += x[i];
    return sum / static_cast<double>(x.size() - removed.size());
  }
  std::vector<float> scores() const {
    std::vector<float> values;
    for (const double value : x) values.push_back(static_cast<float>(value - fit({})));
    return values;
  }
};

/// Of the mean, prediction over truth is (N − k)/N for k removed documents: exact, to float rounding of ten scores.
double predicted_over_actual(const MeanModel& model, const std::vector<int64_t>& removed) {
  const double predicted = predicted_change(model.scores(), removed, static_cast<int64_t>(model.x.size()));
  return predicted / (model.fit(removed) - model.fit({}));
}

TEST(Removal, PredictionForAMeanIsTheFirstOrderOfItsClosedForm) {
  EXPECT_NEAR(predicted_over_actual({}, {3}), 0.9, 1e-5);
  EXPECT_NEAR(predicted_over_actual({}, {0, 3, 9}), 0.7, 1e-5);
}

// The mean written as w + v, both learned: curvature by blocks is 1 for each, so each has the score of the mean alone,
// and the sum counts the change twice. Descent from w = v moves both by half of it.
double predicted_of_two_blocks_over_actual() {
  const MeanModel model;
  std::vector<float> summed = model.scores();
  for (float& score : summed) score *= 2;
  const double predicted = predicted_change(summed, std::vector<int64_t>{3}, 10, 2);
  return predicted / (model.fit({3}) - model.fit({}));
}

TEST(Removal, BlocksThatDoTheSameJobAreNotCountedTwice) {
  EXPECT_NEAR(predicted_of_two_blocks_over_actual(), 0.9, 1e-5);
}

TEST(Removal, BlocksCountedTwiceAreCaught) {
  const ScopedTwin twin("evaluate.blocks_summed");
  EXPECT_GT(std::abs(predicted_of_two_blocks_over_actual() - 0.9), 1e-5);
}

TEST(Removal, APredictionOfTheWrongSignIsCaught) {
  const ScopedTwin twin("evaluate.removal_adds");
  EXPECT_GT(std::abs(predicted_over_actual({}, {3}) - 0.9), 1e-5);
}

TEST(Removal, WithoutDocumentsNothingIsPredicted) {
  EXPECT_EQ(predicted_change(MeanModel().scores(), {}, 10), 0.0);
}

TEST(Removal, UnionHoldsEveryRowOnceAndAscending) {
  const std::vector<std::vector<size_t>> rankings{{7, 2, 5}, {2, 9}, {}};
  EXPECT_EQ(union_of(rankings), (std::vector<int64_t>{2, 5, 7, 9}));
}

TEST(Removal, RandomRowsAreDistinctAscendingAndOfTheSeed) {
  const auto rows = random_rows(1'000, 300, 4);
  EXPECT_EQ(rows.size(), 300u);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  EXPECT_EQ(std::set<int64_t>(rows.begin(), rows.end()).size(), 300u);
  EXPECT_GE(rows.front(), 0);
  EXPECT_LT(rows.back(), 1'000);
  EXPECT_EQ(rows, random_rows(1'000, 300, 4));
  EXPECT_NE(rows, random_rows(1'000, 300, 5));
  // The mean of 300 draws without replacement from 0..999 has standard deviation 288.7 · sqrt(0.7 / 300) = 13.9.
  EXPECT_NEAR(static_cast<double>(std::accumulate(rows.begin(), rows.end(), int64_t{0})) / 300, 499.5, 5 * 13.9);
  EXPECT_EQ(random_rows(3, 9, 0), (std::vector<int64_t>{0, 1, 2}));
}

TEST(Removal, ChangeIsPairedBySeed) {
  const Retrained before{{{-1.0, -2.0}, {-3.0, -2.5}}}, after{{{-2.0, -2.0}, {-6.0, -2.0}}};
  EXPECT_EQ(change(before, after), (std::vector<double>{-2.0, 0.25}));
  EXPECT_EQ(change(before, before), (std::vector<double>{0.0, 0.0}));
  const SeedRange range = over_seeds(before, 0);
  EXPECT_EQ(range.mean, -2.0);
  EXPECT_EQ(range.low, -3.0);
  EXPECT_EQ(range.high, -1.0);
}

TEST(Removal, RefusesToCompareDifferentSeeds) {
  EXPECT_THROW(change({{{-1.0}}}, {{{-1.0}, {-1.0}}}), Error);
  EXPECT_THROW(over_seeds({}, 0), Error);
}

}  // namespace
}  // namespace assay::evaluate
