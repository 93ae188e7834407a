// Which documents the trust check compares, from one document up.
#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "assay/attribute/cost.h"
#include "assay/attribute/trust.h"
#include "assay/core/twin.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

/// Both sides of every query where there are two documents, and none on both.
bool compares_something(int64_t documents, int64_t queries) {
  std::vector<at::Tensor> rows;  // every query has its own strongest: the ranking turns by five
  for (int64_t q = 0; q < queries; ++q) rows.push_back(at::arange(documents, at::kDouble).roll({5 * q}));
  for (const auto& request : trust_requests(at::stack(rows), queries, 3)) {
    const std::set<int64_t> top(request.top.begin(), request.top.end());
    const bool overlaps = std::ranges::any_of(request.random, [&](int64_t row) { return top.contains(row); });
    const TrustCounts counts = trust_counts(documents);
    if (overlaps || request.random.empty() || std::ssize(request.top) != counts.top ||
        std::ssize(request.random) != counts.random)
      return false;
  }
  return true;
}

TEST(TrustCounts, LeaveThreeOfFourDocumentsToTheOtherSide) {
  const auto counts = [](int64_t documents) {
    const TrustCounts found = trust_counts(documents);
    return std::pair(found.top, found.random);
  };
  EXPECT_EQ(counts(1), std::pair(int64_t{1}, int64_t{0}));
  EXPECT_EQ(counts(2), std::pair(int64_t{1}, int64_t{1}));
  EXPECT_EQ(counts(8), std::pair(int64_t{2}, int64_t{6}));
  EXPECT_EQ(counts(39), std::pair(int64_t{9}, int64_t{30}));
  EXPECT_EQ(counts(40), std::pair(int64_t{10}, int64_t{30}));
  EXPECT_EQ(counts(1'000'000), std::pair(int64_t{10}, int64_t{30}));
}

TEST(TrustRequests, HaveBothSidesFromTwoDocumentsUp) {
  for (const int64_t documents : {2, 3, 8, 12, 39, 60, 500}) {
    for (const int64_t queries : {1, 10}) EXPECT_TRUE(compares_something(documents, queries)) << documents;
  }
  const ScopedTwin twin("attribute.everything_is_top");
  EXPECT_FALSE(compares_something(8, 1));
}

TEST(TrustRequests, ShareTheirRandomDocumentsWhereThereAreEnough) {
  const at::Tensor scores = at::stack({at::arange(500, at::kDouble), at::arange(500, at::kDouble).flip(0)});
  const auto requests = trust_requests(scores, 2, 3);
  EXPECT_EQ(requests[0].random, requests[1].random);
  for (const int64_t row : requests[0].random) {
    EXPECT_GE(row, 10);
    EXPECT_LT(row, 490);
  }
}

TEST(TrustWarnings, SayWhatIsMissing) {
  const train::TailPatchDocument step;
  const train::TailPatchComparison full{.top = {step, step}, .random = {step, step}},
      empty{.top = {step}, .random = {}};
  EXPECT_TRUE(trust_warnings(8, {full}).empty());
  EXPECT_NE(trust_warnings(1, {empty}).at(0).find("one document only"), std::string::npos);
  EXPECT_NE(trust_warnings(8, {full, empty}).at(0).find("1 of 2 questions"), std::string::npos);
  EXPECT_NE(trust_warnings(4, {full}).at(0).find("one top document with 3"), std::string::npos);
}

TEST(TrustCost, HoldsNoMoreQueriesThanTheMemory) {
  Scoring scoring{toy_llama(1, at::kDouble, 20'000), toy_texts(60, 3, 9, 1), toy_texts(10, 4, 7, 2)};
  const int64_t parameters = scoring.model.parameters().count() * 8;
  const Cost roomy = trust_cost(scoring.inputs(), 10);
  scoring.memory_bytes = parameters;  // of one query
  const Cost scarce = trust_cost(scoring.inputs(), 10);
  EXPECT_NEAR(static_cast<double>(roomy.peak_bytes - scarce.peak_bytes), static_cast<double>(9 * parameters), 4e6);
  EXPECT_GT(scarce.flops, roomy.flops) << "each round differentiates its documents again";
  EXPECT_EQ(trust_memory_bytes(int64_t{1} << 50), train::TailPatchOptions{}.memory_bytes);
}

}  // namespace
}  // namespace assay::attribute
