// What generating will cost, and what does not fit the context.
#include <gtest/gtest.h>

#include <limits>

#include "assay/nn/generate.h"
#include "tests/support/errors.h"
#include "tests/support/toy.h"

namespace assay::nn {
namespace {

TEST(GenerationCost, CountsEveryWeightTwiceAToken) {
  const Model model = toy_llama(1, at::kFloat), precise = toy_llama(1, at::kDouble);
  const auto weights = static_cast<double>(model.parameters().count());
  const Cost cost = generation_cost(model, 5, 7);
  EXPECT_DOUBLE_EQ(cost.flops, 2 * weights * 12);
  EXPECT_DOUBLE_EQ(cost.bytes_moved, 4 * weights * 7);
  EXPECT_GT(cost.peak_bytes, 0);
  EXPECT_EQ(cost.disk_bytes, 0);
  const Cost twice = generation_cost(precise, 5, 7);
  EXPECT_EQ(twice.flops, 0);
  EXPECT_DOUBLE_EQ(twice.flops_fp64, cost.flops);
  EXPECT_DOUBLE_EQ(twice.bytes_moved, 2 * cost.bytes_moved);
}

TEST(GenerationCost, IsOnlyOfWhatFitsTheContext) {
  const Model model = toy_llama();  // of 64 tokens
  EXPECT_FALSE(error_of([&] { require_fits(model, 60, 4); }));
  EXPECT_THAT(error_of([&] { require_fits(model, 60, 5); }), Refusal(ErrorKind::Usage, "ask for at most 4 tokens"));
  EXPECT_THAT(error_of([&] { require_fits(model, 70, 1); }), Refusal(ErrorKind::Usage, "ask for at most 0 tokens"));
  EXPECT_THAT(error_of([&] { require_fits(model, 1, std::numeric_limits<int64_t>::max()); }),
              Refusal(ErrorKind::Usage, "ask for at most 63 tokens"));
}

}  // namespace
}  // namespace assay::nn
