#include "assay/evaluate/retrieval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "assay/core/twin.h"

namespace assay::evaluate {
namespace {

const std::vector<float> kScores{0.5f, 3.f, -2.f, 1.f, -7.f};
const std::vector<uint8_t> kRelevant{1, 0, 0, 1, 0};

TEST(Retrieval, TopAndBottomAreTheEndsOfOneOrder) {
  EXPECT_EQ(top(kScores, 2), (std::vector<size_t>{1, 3}));
  EXPECT_EQ(bottom(kScores, 2), (std::vector<size_t>{4, 2}));
  EXPECT_EQ(top(kScores, 99).size(), kScores.size());
}

TEST(Retrieval, EqualScoresStandByIndexFromEitherEnd) {
  const std::vector<float> equal(6, 1.f);
  EXPECT_EQ(top(equal, 3), (std::vector<size_t>{0, 1, 2}));
  EXPECT_EQ(bottom(equal, 3), (std::vector<size_t>{0, 1, 2}));
}

TEST(Retrieval, MetricsOfAHandExample) {
  const std::vector<size_t> ranking = top(kScores, 5);  // 1, 3, 0, 2, 4: relevant at ranks 2 and 3
  EXPECT_EQ(precision_at(2, ranking, kRelevant), 0.5);
  EXPECT_EQ(recall_at(3, ranking, kRelevant), 1.0);
  EXPECT_EQ(recall_at(2, ranking, kRelevant), 0.5);
  EXPECT_EQ(reciprocal_rank(ranking, kRelevant), 0.5);
  {
    const ScopedTwin twin("retrieval.rank_from_zero");
    EXPECT_NE(reciprocal_rank(ranking, kRelevant), 0.5);
  }
  const ScopedTwin twin("retrieval.precision_over_all");
  EXPECT_NE(precision_at(2, ranking, kRelevant), 0.5);
}

TEST(Retrieval, WithoutRelevantDocumentsNothingIsClaimed) {
  const std::vector<uint8_t> none(5, 0);
  EXPECT_TRUE(std::isnan(recall_at(3, top(kScores, 3), none)));
  EXPECT_TRUE(std::isnan(reciprocal_rank(top(kScores, 3), none)));
  EXPECT_EQ(reciprocal_rank(top(kScores, 1), kRelevant), 0.0);  // some are relevant, none is in this ranking
}

// Oracle: the mean of precision_at over every permutation of the documents, ties falling where they may.
TEST(Retrieval, ExpectedPrecisionIsTheMeanOverOrdersOfTheTies) {
  const std::vector<float> scores{2.f, 1.f, 1.f, 1.f, 0.f, 0.f};
  const std::vector<uint8_t> relevant{0, 1, 0, 1, 1, 0};
  for (size_t k = 1; k <= 6; ++k) {
    std::vector<size_t> order(6);
    std::iota(order.begin(), order.end(), size_t{0});
    double sum = 0, count = 0;
    do {
      std::vector<size_t> ranking = order;
      std::stable_sort(ranking.begin(), ranking.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
      sum += precision_at(k, ranking, relevant);
      count += 1;
    } while (std::next_permutation(order.begin(), order.end()));
    EXPECT_NEAR(expected_precision_at(k, scores, relevant), sum / count, 1e-12);
  }
}

}  // namespace
}  // namespace assay::evaluate
