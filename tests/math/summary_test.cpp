#include "assay/math/summary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/math/bootstrap.h"

namespace assay::math {
namespace {

using Values = std::vector<double>;

TEST(Summary, MeanAndVarianceOfAHandExample) {
  const Values values{2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_EQ(mean(values), 5.0);
  EXPECT_NEAR(variance(values), 32.0 / 7.0, 1e-15);
  EXPECT_TRUE(std::isnan(mean(Values{})));
  EXPECT_TRUE(std::isnan(variance(Values{1})));
  const ScopedTwin twin("math.biased_variance");
  EXPECT_GT(std::abs(variance(values) - 32.0 / 7.0), 0.1);
}

TEST(Summary, QuantilesInterpolateBetweenOrderStatistics) {
  const Values values{4, 1, 3, 2};
  EXPECT_EQ(quantile(values, 0), 1.0);
  EXPECT_EQ(quantile(values, 1), 4.0);
  EXPECT_EQ(quantile(values, 0.5), 2.5);
  EXPECT_NEAR(quantile(values, 0.1), 1.3, 1e-15);
}

TEST(TStatistic, OfAHandExample) {
  const Values before{1, 2, 3}, after{2, 4, 3};  // differences -1, -2, 0: mean -1, variance 1
  const TStatistic paired = paired_t(before, after);
  EXPECT_EQ(paired.difference, -1.0);
  EXPECT_NEAR(paired.t, -std::sqrt(3.0), 1e-14);
  EXPECT_EQ(paired.degrees_of_freedom, 2.0);
  const TStatistic welch = welch_t(before, after);  // equal variances and counts: Welch's degrees are the pooled ones
  EXPECT_NEAR(welch.t, -std::sqrt(1.5), 1e-14);
  EXPECT_NEAR(welch.degrees_of_freedom, 4.0, 1e-12);
}

TEST(TStatistic, OfTooFewValuesIsNaN) {
  EXPECT_TRUE(std::isnan(paired_t(Values{1}, Values{2}).t));
}

// Coverage of the interval of a mean: the share of 300 samples of 50 normal numbers whose interval holds the true mean
// 0. The percentile bootstrap's own coverage at n = 50 is about 0.94; the binomial spread over 300 is 0.014.
TEST(Bootstrap, IntervalHoldsTheTruthAboutAsOftenAsItSays) {
  const auto coverage = [] {
    int held = 0;
    for (uint64_t sample = 0; sample < 300; ++sample) {
      Values values(50);
      for (size_t i = 0; i < values.size(); ++i) values[i] = random_normal(5, sample, i);
      const Interval interval = bootstrap_mean(values, {.resamples = 200, .seed = sample});
      held += interval.low <= 0 && interval.high >= 0 ? 1 : 0;
    }
    return held / 300.0;
  };
  const double found = coverage();
  EXPECT_GT(found, 0.94 - 4 * 0.014);
  EXPECT_LT(found, 0.94 + 4 * 0.014);
  const ScopedTwin twin("math.bootstrap_without_replacement");
  EXPECT_LT(coverage(), 0.94 - 4 * 0.014);
}

TEST(Bootstrap, IsTheSameForTheSameSeedAndShiftsWithTheData) {
  const Values values{1, 5, 2, 8, 3};
  const Interval first = bootstrap_mean(values, {.seed = 3}), again = bootstrap_mean(values, {.seed = 3});
  EXPECT_EQ(first.low, again.low);
  EXPECT_EQ(first.high, again.high);
  EXPECT_LT(first.low, mean(values));
  EXPECT_GT(first.high, mean(values));
  const Interval constant = bootstrap_mean(Values{2, 2, 2});
  EXPECT_EQ(constant.low, 2.0);
  EXPECT_EQ(constant.high, 2.0);
  EXPECT_TRUE(std::isnan(bootstrap_mean(Values{}).low));
}

TEST(Bootstrap, OfADifferenceResamplesEachSideOnItsOwn) {
  const Values varied{1, 2, 3, 4, 5, 6}, constant{2, 2, 2};
  const Interval both = bootstrap_difference(varied, constant, {.seed = 3});
  EXPECT_LT(both.low, 1.5);  // 3.5 - 2 lies inside
  EXPECT_GT(both.high, 1.5);
  const Interval turned = bootstrap_difference(constant, varied, {.seed = 3});
  EXPECT_LT(turned.low, -1.5);
  EXPECT_GT(turned.high, -1.5);
  EXPECT_EQ(bootstrap_difference(constant, constant).high, 0);
  EXPECT_TRUE(std::isnan(bootstrap_difference(varied, Values{}).low));
}

}  // namespace
}  // namespace assay::math
