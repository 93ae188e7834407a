// The demo's models are trained in the precision that was asked for, and its plan counts them so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/demo_plan.h"
#include "cli/demo_training.h"

namespace assay::cli {
namespace {

TEST(DemoPrecision, IsTheWorkersToo) {
  const DemoModel model{.name = "everything-0", .seed = 0, .leave_out = {}};
  EXPECT_THAT(demo_training_words(model, "demo", Precision::Float64), testing::IsSupersetOf({"--dtype", "fp64"}));
  EXPECT_THAT(demo_training_words(model, "demo", Precision::Float32), testing::IsSupersetOf({"--dtype", "fp32"}));
}

TEST(DemoPrecision, IsCountedInThePlan) {
  const Ceilings ceilings{.flops_per_second_fp32 = 1e11,
                          .flops_per_second_bf16 = 1e11,
                          .bytes_per_second = 1e10,
                          .seconds_per_operator_call = 1e-6};
  DemoOptions options;
  const Cost single = plan_demo(options, ceilings).stages().front().cost;
  options.common.precision = Precision::Float64;
  const Cost twice = plan_demo(options, ceilings).stages().front().cost;
  EXPECT_DOUBLE_EQ(seconds({.flops = twice.flops, .flops_fp64 = twice.flops_fp64}, ceilings),
                   2 * seconds({.flops = single.flops}, ceilings))
      << "double precision is half as fast";
}

}  // namespace
}  // namespace assay::cli
