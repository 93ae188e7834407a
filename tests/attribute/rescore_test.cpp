// Scoring the ends of a ranking again: what is told has exact scores in their order, whatever the index thought.
#include "assay/attribute/rescore.h"

#include <ATen/Context.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "assay/attribute/shown.h"
#include "assay/core/twin.h"

namespace assay::attribute {
namespace {

/// Both ends of every row.
ScanResult scan_of(const at::Tensor& whole, int64_t kept) {
  const auto end = [&](bool largest) {
    const auto [scores, rows] = whole.topk(kept, 1, largest);
    return RankingEnd{rows, scores.to(at::kDouble)};
  };
  return {.whole = whole, .per_layer = {}, .top = end(true), .bottom = end(false), .group_top = {}, .group_whole = {}};
}

std::vector<double> values_of(const at::Tensor& row) {
  const at::Tensor plain = row.to(at::kDouble).contiguous();
  return {plain.const_data_ptr<double>(), plain.const_data_ptr<double>() + plain.numel()};
}

class Rescoring : public testing::Test {
 protected:
  static at::Tensor seeded(uint64_t seed) {  // other tests draw from the same numbers
    at::manual_seed(seed);
    return at::randn({3, 200}, at::kDouble);
  }
  at::Tensor exact_ = seeded(4);
  at::Tensor index_ = exact_.mul(7).add(at::randn({3, 200}, at::kDouble), 3);  // another scale, and noise
  ScanResult scan_ = scan_of(index_, 20);
  std::vector<int64_t> rows_ = rows_to_rescore(scan_, 15);

  at::Tensor again() const {
    return exact_.index_select(1, at::tensor(at::IntArrayRef(rows_.data(), rows_.size()), at::kLong));
  }
  /// Whether the first `count` of either end are told by exact score.
  bool is_exact(const Rescored& found, int64_t count) const {
    bool all = true;
    for (int64_t q = 0; q < 3; ++q) {
      const auto told = strongest_supporters(values_of(found.whole[q]), count, false, rows_);
      double before = 1e30;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t row = found.top.rows[q][i].item<int64_t>();
        const double score = exact_[q][row].item<double>();
        all = all && score <= before && score == found.top.scores[q][i].item<double>() &&
              told[static_cast<size_t>(i)] == row;
        before = score;
      }
    }
    return all;
  }
};

TEST_F(Rescoring, TakesTheEndsOfEveryQuestion) {
  for (int64_t q = 0; q < 3; ++q) {
    for (const RankingEnd* end : {&scan_.top, &scan_.bottom})
      for (int64_t i = 0; i < 15; ++i) EXPECT_TRUE(std::ranges::binary_search(rows_, end->rows[q][i].item<int64_t>()));
  }
  EXPECT_LE(rows_.size(), 90u);
}

TEST_F(Rescoring, TellsExactScoresInTheirOrder) {
  EXPECT_TRUE(is_exact(rescored(scan_, rows_, again()), 10));
  const ScopedTwin twin("attribute.rescored_in_the_order_of_the_index");
  EXPECT_FALSE(is_exact(rescored(scan_, rows_, again()), 10));
}

/// However few were scored again, what sums and shares are made of stays: each estimate times the scale, by definition.
TEST_F(Rescoring, BringsTheOthersToTheSameScale) {
  const Rescored found = rescored(scan_, rows_, again());
  for (int64_t q = 0; q < 3; ++q) {
    // The regression of s on 7 s + 3 ε. Thirty points at the ends: a deviation of some 0.01.
    EXPECT_NEAR(found.scale[static_cast<size_t>(q)], 7.0 / 58, 0.03);
    EXPECT_GT(found.agreement[static_cast<size_t>(q)], 0.8);
    for (int64_t row = 0; row < 200; ++row) {
      if (std::ranges::binary_search(rows_, row)) {
        EXPECT_EQ(found.whole[q][row].item<double>(), exact_[q][row].item<double>());
      } else {
        const double scale = found.scale[static_cast<size_t>(q)];
        EXPECT_DOUBLE_EQ(found.whole[q][row].item<double>(), scale * index_[q][row].item<double>());
      }
    }
  }
}

TEST_F(Rescoring, TellsNoEstimateBesideExactScores) {
  const std::vector<int64_t> few = rows_to_rescore(scan_, 3);
  const at::Tensor exact = exact_.index_select(1, at::tensor(at::IntArrayRef(few.data(), few.size()), at::kLong));
  const Rescored found = rescored(scan_, few, exact);
  const auto are_exact = [&] {
    bool all = true;
    for (int64_t q = 0; q < 3; ++q) {
      const std::vector<double> scores = values_of(found.whole[q]);
      for (const auto& rows : {strongest_supporters(scores, 10, true, few), strongest_opponents(scores, 10, few)}) {
        all = all && !rows.empty();
        for (const int64_t row : rows) all = all && std::ranges::binary_search(few, row);
      }
    }
    return all;
  };
  EXPECT_TRUE(are_exact());
  const ScopedTwin twin("attribute.estimates_among_exact_scores");
  EXPECT_FALSE(are_exact());
}

TEST_F(Rescoring, ToleratesAnIndexThatKnowsNothing) {
  const Rescored found = rescored(
      scan_of(exact_.neg(), 20), rows_to_rescore(scan_of(exact_.neg(), 20), 15),
      exact_.index_select(1, at::tensor(std::vector<int64_t>(rows_to_rescore(scan_of(exact_.neg(), 20), 15)))));
  for (const double scale : found.scale) EXPECT_EQ(scale, 0);
  for (const double agreement : found.agreement) EXPECT_NEAR(agreement, -1, 1e-12);
}

}  // namespace
}  // namespace assay::attribute
