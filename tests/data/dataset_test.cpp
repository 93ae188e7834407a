#include "assay/data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "assay/core/twin.h"
#include "assay/data/batches.h"

namespace assay::data {
namespace {

Example text(std::vector<int32_t> tokens, int32_t first_counted = 1) {
  Example example;
  example.tokens = std::move(tokens);
  example.first_counted = first_counted;
  return example;
}

Example array(std::vector<float> features, int32_t label, std::vector<float> values) {
  Example example;
  example.features = std::move(features);
  example.label = label;
  example.values = std::move(values);
  return example;
}

Dataset texts(const std::vector<std::vector<int32_t>>& tokens) {
  Dataset dataset;
  for (const auto& ids : tokens) dataset.examples.push_back(text(ids));
  assign_ids(dataset);
  return dataset;
}

TEST(Dataset, IdenticalTextsAreTwoExamples) {
  const auto are_told_apart = [] {
    const Dataset dataset = texts({{1, 2}, {3}, {1, 2}});
    return dataset.examples[0].id != dataset.examples[2].id;
  };
  EXPECT_TRUE(are_told_apart());
  const ScopedTwin error("data.id_without_occurrence");
  EXPECT_FALSE(are_told_apart());
}

TEST(Dataset, AnIdSurvivesReorderingAndWhatElseIsThere) {
  const Dataset one = texts({{1, 2}, {3}, {1, 2}}), other = texts({{9}, {1, 2}, {1, 2}, {3}});
  EXPECT_EQ(one.examples[0].id, other.examples[1].id);
  EXPECT_EQ(one.examples[2].id, other.examples[2].id);
  EXPECT_EQ(one.examples[1].id, other.examples[3].id);
}

TEST(Dataset, EveryFieldOfAnExampleIsItsContent) {
  Dataset dataset;
  dataset.examples = {text({1, 2}),         text({1, 2}, 2),        array({1, 2}, -1, {}),
                      array({1, 2}, 0, {}), array({1, 2}, -1, {0}), array({1}, -1, {2})};
  assign_ids(dataset);
  std::set<ExampleId> ids;
  for (const Example& example : dataset.examples) ids.insert(example.id);
  EXPECT_EQ(ids.size(), dataset.examples.size());
}

TEST(Dataset, TheHashTellsOrderAndContent) {
  EXPECT_EQ(texts({{1}, {2}}).content_hash(), texts({{1}, {2}}).content_hash());
  EXPECT_NE(texts({{1}, {2}}).content_hash(), texts({{2}, {1}}).content_hash());
  EXPECT_NE(texts({{1}}).content_hash(), texts({}).content_hash());
}

TEST(Dataset, ASubsetKeepsItsIds) {
  const Dataset all = texts({{1, 2}, {3, 4, 5}, {1, 2}});
  const std::vector<int64_t> rows{2, 1};
  const Dataset some = subset(all, rows);
  EXPECT_EQ(some.examples[0].id, all.examples[2].id);
  EXPECT_EQ(some.tokens(), 5);
  EXPECT_EQ(some.longest(), 3);
  EXPECT_EQ(texts({}).longest(), 0);
}

TEST(PlanBatches, EveryRowStandsInOneBatchAndWithinTheBudget) {
  Dataset dataset;
  for (size_t i = 0; i < 100; ++i) dataset.examples.push_back(text(std::vector<int32_t>(1 + i * 37 % 61, 7)));
  std::vector<int64_t> rows;
  for (const auto& batch : plan_batches(dataset, 128)) {
    ASSERT_FALSE(batch.empty());
    size_t longest = 0;
    for (const int64_t row : batch)
      longest = std::max(longest, dataset.examples[static_cast<size_t>(row)].tokens.size());
    EXPECT_TRUE(batch.size() == 1 || batch.size() * (longest - 1) <= 128);
    rows.insert(rows.end(), batch.begin(), batch.end());
  }
  std::sort(rows.begin(), rows.end());
  std::vector<int64_t> all(100);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(rows, all);
}

TEST(PlanBatches, LengthsStandTogetherAndEqualsKeepTheirOrder) {
  const Dataset dataset = texts({{1, 1, 1}, {1}, {2, 2, 2}, {2}});
  EXPECT_THAT(plan_batches(dataset, 4), testing::ElementsAre(testing::ElementsAre(1, 3), testing::ElementsAre(0, 2)));
  EXPECT_THAT(plan_batches(dataset, 1), testing::SizeIs(4));  // an example longer than the budget stands alone
  EXPECT_TRUE(plan_batches(texts({}), 4).empty());
}

}  // namespace
}  // namespace assay::data
