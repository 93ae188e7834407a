#include "assay/math/correlation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::math {
namespace {

using Column = std::vector<double>;

Column noise(uint64_t stream, size_t count) {
  Column values(count);
  for (size_t i = 0; i < count; ++i) values[i] = random_normal(7, stream, i);
  return values;
}

TEST(Ranks, TiesShareTheirAverageRank) {
  EXPECT_EQ(average_ranks(Column{1, 2, 2, 4}), (Column{1, 2.5, 2.5, 4}));
  EXPECT_EQ(average_ranks(Column{5, 5, 5}), (Column{2, 2, 2}));
  EXPECT_TRUE(average_ranks(Column{}).empty());
}

TEST(Ranks, RefuseNaN) {
  EXPECT_THROW(average_ranks(Column{1, std::nan("")}), Error);
}

// Recorded: tda-evaluation, check 2. Exact up to the rounding of one square root and one division.
TEST(Spearman, WithTiesEqualsPearsonOfAverageRanks) {
  const Column x{1, 2, 2, 4}, y{1, 3, 2, 4};
  EXPECT_NEAR(spearman(x, y), 0.9486832980505138, 1e-15);
  const ScopedTwin twin("math.ties_by_position");
  EXPECT_GT(std::abs(spearman(x, y) - 0.9486832980505138), 1e-3);
}

TEST(Spearman, IsUnchangedByIncreasingMapsAndNegatedByNegation) {
  const Column x = noise(1, 50), y = noise(2, 50);
  Column mapped(y), negated(y);
  for (double& value : mapped) value = std::exp(3 * value);
  for (double& value : negated) value = -value;
  EXPECT_EQ(spearman(x, y), spearman(x, mapped));
  EXPECT_NEAR(spearman(x, negated), -spearman(x, y), 1e-15);
}

TEST(Pearson, IsOneOnALineAndUnchangedByShiftAndScale) {
  const Column x = noise(3, 20);
  Column line(x);
  for (double& value : line) value = -2.5 * value + 1e3;
  EXPECT_NEAR(pearson(x, line), -1.0, 1e-12);  // 20 terms of relative error 1e3 · 1e-16
}

TEST(Pearson, OfAConstantColumnIsNaN) {
  EXPECT_TRUE(std::isnan(pearson(Column{1, 1, 1}, Column{1, 2, 3})));
  EXPECT_TRUE(std::isnan(pearson(Column{1}, Column{2})));
}

}  // namespace
}  // namespace assay::math
