#include "assay/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::train {
namespace {

constexpr double kTight = 1e-15;  // rates below 1, a handful of float64 operations

TEST(Schedule, ConstantKeepsItsRate) {
  const Schedule schedule{.kind = Schedule::Kind::Constant, .rate = 0.25};
  for (int64_t step = 0; step < 10; ++step) EXPECT_EQ(rate_at(schedule, step, 10), 0.25);
}

TEST(Schedule, LinearFallsByEqualStepsToItsFinalFraction) {
  const Schedule schedule{.kind = Schedule::Kind::Linear, .rate = 1, .final_fraction = 0.2};
  EXPECT_NEAR(rate_at(schedule, 0, 4), 1.0, kTight);
  EXPECT_NEAR(rate_at(schedule, 1, 4), 0.8, kTight);
  EXPECT_NEAR(rate_at(schedule, 2, 4), 0.6, kTight);
  EXPECT_NEAR(rate_at(schedule, 3, 4), 0.4, kTight);  // 0.2 is what step 4 would have
}

TEST(Schedule, CosineIsHalfWayInTheMiddleAndSymmetricAroundIt) {
  const Schedule schedule{.kind = Schedule::Kind::Cosine, .rate = 3e-3};
  EXPECT_EQ(rate_at(schedule, 0, 100), 3e-3);
  EXPECT_NEAR(rate_at(schedule, 50, 100), 1.5e-3, kTight);
  for (int64_t step = 1; step < 50; ++step) {
    EXPECT_NEAR(rate_at(schedule, step, 100) + rate_at(schedule, 100 - step, 100), 3e-3, kTight);
  }
  EXPECT_NEAR(rate_at(schedule, 99, 100), 1.5e-3 * (1 + std::cos(0.99 * std::numbers::pi)), kTight);
}

TEST(Schedule, DropKeepsTheRateThenDividesItOnce) {
  const Schedule schedule{.kind = Schedule::Kind::Drop, .rate = 0.5, .final_fraction = 0.2, .drop_at = 0.7};
  EXPECT_EQ(rate_at(schedule, 419, 600), 0.5);
  EXPECT_NEAR(rate_at(schedule, 420, 600), 0.1, kTight);
  EXPECT_NEAR(rate_at(schedule, 599, 600), 0.1, kTight);
}

bool warms_up_to_the_full_rate() {
  const Schedule schedule{.kind = Schedule::Kind::Cosine, .rate = 1, .warmup_steps = 4};
  return rate_at(schedule, 0, 8) == 0.25 && rate_at(schedule, 3, 8) == 1 && rate_at(schedule, 4, 8) == 1 &&
         std::abs(rate_at(schedule, 6, 8) - 0.5) < kTight;
}

TEST(Schedule, WarmUpRisesLinearlyAndDecayStartsAfterIt) {
  EXPECT_TRUE(warms_up_to_the_full_rate());
  const ScopedTwin twin("train.warmup_starts_at_zero");
  EXPECT_FALSE(warms_up_to_the_full_rate());
}

TEST(Schedule, WarmUpLongerThanTheRunNeverReachesTheRate) {
  const Schedule schedule{.rate = 1, .warmup_steps = 100};
  EXPECT_NEAR(rate_at(schedule, 9, 10), 0.1, kTight);
}

TEST(Schedule, NamesGoBothWaysAndAMisspeltOneGetsItsNeighbour) {
  for (const char* name : {"constant", "linear", "cosine", "drop"}) EXPECT_STREQ(to_string(schedule_named(name)), name);
  try {
    schedule_named("cosin");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Usage);
    EXPECT_NE(std::string(error.what()).find("closest: \"cosine\""), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace assay::train
