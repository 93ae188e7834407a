#include "assay/train/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "assay/core/twin.h"

namespace assay::train {
namespace {

data::Dataset texts(int32_t count) {
  data::Dataset dataset;
  for (int32_t i = 0; i < count; ++i) {
    data::Example example;
    example.tokens = {i, i + 1, i + 2};
    dataset.examples.push_back(example);
  }
  data::assign_ids(dataset);
  return dataset;
}

std::vector<data::ExampleId> ids_in_order(const data::Dataset& dataset, const std::vector<int64_t>& rows) {
  std::vector<data::ExampleId> ids;
  for (const int64_t row : rows) ids.push_back(dataset.examples[static_cast<size_t>(row)].id);
  return ids;
}

TEST(Order, IsAPermutationThatDependsOnSeedAndEpoch) {
  const data::Dataset dataset = texts(200);
  std::vector<int64_t> order = epoch_order(dataset, {}, 1, 0);
  EXPECT_EQ(order, epoch_order(dataset, {}, 1, 0));
  EXPECT_NE(order, epoch_order(dataset, {}, 1, 1));
  EXPECT_NE(order, epoch_order(dataset, {}, 2, 0));
  std::sort(order.begin(), order.end());
  std::vector<int64_t> all(200);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(order, all);
}

bool leaving_out_keeps_the_order_of_the_rest() {
  const data::Dataset dataset = texts(200);
  std::unordered_set<data::ExampleId> left_out;
  for (size_t row = 0; row < 200; row += 7) left_out.insert(dataset.examples[row].id);
  std::vector<int64_t> kept = epoch_order(dataset, {}, 3, 5);
  std::erase_if(kept, [&](int64_t row) { return left_out.contains(dataset.examples[static_cast<size_t>(row)].id); });
  return epoch_order(dataset, left_out, 3, 5) == kept;
}

TEST(Order, LeavingExamplesOutKeepsTheOrderOfTheRest) {
  EXPECT_TRUE(leaving_out_keeps_the_order_of_the_rest());
  const ScopedTwin twin("train.order_by_place");
  EXPECT_FALSE(leaving_out_keeps_the_order_of_the_rest());
}

TEST(Order, BelongsToTheExamplesAndNotToTheirPlacesInTheFile) {
  data::Dataset dataset = texts(50);
  const auto before = ids_in_order(dataset, epoch_order(dataset, {}, 9, 2));
  std::reverse(dataset.examples.begin(), dataset.examples.end());
  EXPECT_EQ(ids_in_order(dataset, epoch_order(dataset, {}, 9, 2)), before);
}

TEST(Order, TheLastBatchMayBeSmallerAndNoneIsDropped) {
  EXPECT_EQ(steps_per_epoch(96, 48), 2);
  EXPECT_EQ(steps_per_epoch(97, 48), 3);
  EXPECT_EQ(steps_per_epoch(5, 48), 1);
}

}  // namespace
}  // namespace assay::train
