#include "assay/train/step_search.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay::train {
namespace {

TEST(StepSearch, AStraightLineTakesOneEvaluation) {
  const StepSearchResult found = search_step([](double s) { return 3 * s; }, 3, {.target = 0.05});
  EXPECT_TRUE(found.reached);
  EXPECT_EQ(found.evaluations, 1);
  EXPECT_DOUBLE_EQ(found.step, 0.05 / 3);
}

TEST(StepSearch, AParabolaTakesTwoEvaluationsAndIsExact) {
  const StepSearchResult found = search_step([](double s) { return s - 2 * s * s; }, 1, {.target = 0.1});
  EXPECT_TRUE(found.reached);
  EXPECT_EQ(found.evaluations, 2);
  EXPECT_NEAR(found.step, (1 - std::sqrt(1 - 0.8)) / 4, 1e-12);  // root of 2 s² - s + 0.1
}

TEST(StepSearch, AFunctionThatBendsUpIsCaughtByTheBracket) {
  const StepSearchResult found = search_step([](double s) { return std::expm1(40 * s); }, 40, {.target = 0.7});
  EXPECT_TRUE(found.reached);
  EXPECT_LE(found.evaluations, 6);
  EXPECT_NEAR(found.rise, 0.7, 0.02 * 0.7);
}

TEST(StepSearch, AFunctionThatTurnsTooEarlyGivesTheNearestItFound) {
  // Highest at s = 0.1 with 0.05; 0.08 is never reached.
  const StepSearchResult found = search_step([](double s) { return s - 5 * s * s; }, 1, {.target = 0.08});
  EXPECT_FALSE(found.reached);
  EXPECT_EQ(found.evaluations, 12);
  EXPECT_GT(found.rise, 0.045);
}

TEST(StepSearch, ValuesThatAreNotFiniteCountAsTooFar) {
  const auto rise = [](double s) { return s < 0.011 ? 5 * s : std::nan(""); };  // the first guess overflows
  const StepSearchResult found = search_step(rise, 1, {.target = 0.05});
  EXPECT_TRUE(found.reached);
  EXPECT_NEAR(found.step, 0.01, 0.02 * 0.01);
}

TEST(StepSearch, ReturnsOnlyStepsThatItEvaluated) {
  double last = 0;
  const auto rise = [&](double s) {
    last = s;
    return std::log1p(s);
  };
  const StepSearchResult found = search_step(rise, 1, {.target = 0.5});
  EXPECT_TRUE(found.reached);
  EXPECT_EQ(found.step, last);
  EXPECT_EQ(found.rise, std::log1p(last));
}

}  // namespace
}  // namespace assay::train
