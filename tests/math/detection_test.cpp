#include "assay/math/detection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::math {
namespace {

using Scores = std::vector<double>;
using Marks = std::vector<uint8_t>;

/// P(marked > unmarked) + P(tie) / 2 by counting all pairs.
double counted_auroc(const Scores& scores, const Marks& marks) {
  double wins = 0, pairs = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    for (size_t j = 0; j < scores.size(); ++j) {
      if (marks[i] == 0 || marks[j] == 1) continue;
      pairs += 1;
      wins += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
    }
  }
  return wins / pairs;
}

TEST(Auroc, IsOneZeroAndHalfAtTheEnds) {
  const Marks marks{1, 1, 0, 0, 0};
  EXPECT_EQ(auroc(Scores{9, 8, 3, 2, 1}, marks), 1.0);
  EXPECT_EQ(auroc(Scores{1, 2, 7, 8, 9}, marks), 0.0);
  EXPECT_EQ(auroc(Scores{4, 4, 4, 4, 4}, marks), 0.5);
  EXPECT_TRUE(std::isnan(auroc(Scores{1, 2}, Marks{0, 0})));
  const ScopedTwin twin("math.auroc_reversed");
  EXPECT_NE(auroc(Scores{9, 8, 3, 2, 1}, marks), 1.0);
}

TEST(Auroc, EqualsCountingPairsWithTiesAndIsUnchangedByIncreasingMaps) {
  Scores scores(60), mapped(60);
  Marks marks(60);
  for (size_t i = 0; i < scores.size(); ++i) {
    scores[i] = std::floor(4 * random_uniform(1, 0, i));  // five values: many ties
    mapped[i] = std::exp(scores[i]);
    marks[i] = random_uniform(1, 1, i) < 0.3 ? 1 : 0;
  }
  EXPECT_NEAR(auroc(scores, marks), counted_auroc(scores, marks), 1e-14);
  EXPECT_EQ(auroc(scores, marks), auroc(mapped, marks));
  const ScopedTwin twin("math.ties_by_position");
  EXPECT_GT(std::abs(auroc(scores, marks) - counted_auroc(scores, marks)), 1e-3);
}

TEST(AveragePrecision, EqualsHandCountsAndTreatsTiesAsOneThreshold) {
  EXPECT_EQ(average_precision(Scores{4, 3, 2, 1}, Marks{1, 1, 0, 0}), 1.0);
  EXPECT_NEAR(average_precision(Scores{4, 3, 2, 1}, Marks{1, 0, 1, 0}), (1.0 + 2.0 / 3.0) / 2, 1e-15);
  EXPECT_EQ(average_precision(Scores{1, 1, 1, 1}, Marks{1, 0, 0, 0}), 0.25);  // the base rate, whatever the order
  EXPECT_EQ(average_precision(Scores{1, 1, 1, 1}, Marks{0, 0, 0, 1}), 0.25);
}

// Recorded: tda-evaluation, check 4.
TEST(InspectionArea, OfAPerfectRankingIsItsClosedForm) {
  const Scores scores{4, 3, 2, 1};
  const Marks marks{1, 1, 0, 0};
  EXPECT_EQ(inspection_area(scores, marks), 0.6875);
  EXPECT_EQ(best_inspection_area(4, 2), 0.6875);
  for (size_t marked = 1; marked < 30; marked += 7) {
    Scores falling(30);
    Marks first(30);
    for (size_t i = 0; i < 30; ++i) {
      falling[i] = -static_cast<double>(i);
      first[i] = i < marked ? 1 : 0;
    }
    EXPECT_NEAR(inspection_area(falling, first), best_inspection_area(30, static_cast<double>(marked)), 1e-14);
  }
  const ScopedTwin twin("math.inspection_over_trapezoids");
  EXPECT_NE(inspection_area(scores, marks), 0.6875);
}

}  // namespace
}  // namespace assay::math
