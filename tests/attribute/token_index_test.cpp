// The filter before gradients against BM25 of every document.
#include "assay/attribute/token_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "tests/support/temporary_folder.h"

namespace assay::attribute {
namespace {

data::Dataset random_corpus(int64_t documents, uint64_t seed) {
  data::Dataset corpus;
  for (int64_t i = 0; i < documents; ++i) {
    const auto stream = static_cast<uint64_t>(i);
    data::Example example;
    const uint64_t length = 1 + random_below(40, seed, stream, 1000);
    for (uint64_t t = 0; t < length; ++t) {  // small numbers are common, large ones rare
      const double u = random_uniform(seed, stream, t);
      example.tokens.push_back(static_cast<int32_t>(u * u * 60));
    }
    corpus.examples.push_back(std::move(example));
  }
  data::assign_ids(corpus);
  return corpus;
}

Bm25::Terms terms(const data::ExampleView& example) {
  return {example.tokens.begin(), example.tokens.end()};
}

// Scores every document by itself.
std::vector<TokenIndex::Found> by_force(const data::Dataset& corpus, const Bm25::Terms& question, int64_t most,
                                        double k1, double b) {
  std::vector<Bm25::Terms> all;
  for (const auto& example : corpus.examples) all.push_back(terms(example));
  const Bm25 bm25(all, k1, b);
  std::vector<TokenIndex::Found> found;
  for (size_t i = 0; i < all.size(); ++i) {
    const double score = bm25.score(question, Bm25::count(all[i]));
    if (score > 0) found.push_back({static_cast<int64_t>(i), score});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& x, const auto& y) { return x.score > y.score; });
  found.resize(std::min(found.size(), static_cast<size_t>(most)));
  return found;
}

class Index : public ::testing::Test {
 protected:
  /// The largest difference of scores, place by place; infinity where other documents are found.
  double error(const TokenIndex& index, int64_t most, double k1, double b) const {
    const auto found = index.best(questions, most, k1, b);
    double largest = 0;
    for (size_t q = 0; q < questions.size(); ++q) {
      const auto expected = by_force(corpus, questions[q], most, k1, b);
      if (found[q].size() != expected.size()) return std::numeric_limits<double>::infinity();
      for (size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(found[q][i].score - expected[i].score));
        // Sums in another order may swap neighbours that are equal to rounding.
        if (found[q][i].row != expected[i].row && std::abs(found[q][i].score - expected[i].score) > 1e-12)
          return std::numeric_limits<double>::infinity();
      }
    }
    return largest;
  }

  data::Dataset corpus = random_corpus(500, 3);
  std::vector<Bm25::Terms> questions{{5, 9, 9, 58}, {1}, {2, 40, 41, 42}, {999}, {}};
};

TEST_F(Index, FindsWhatScoringEveryDocumentFinds) {
  const TokenIndex index(corpus, {}, silent_progress());
  for (const double b : {0.0, 0.75}) {
    for (const int64_t most : {1, 7, 100000}) EXPECT_LT(error(index, most, 1.5, b), 1e-12) << most << " " << b;
  }
  EXPECT_TRUE(index.best(questions, 10, 1.5, 0)[3].empty());  // no document holds it
  EXPECT_TRUE(index.best(questions, 10, 1.5, 0)[4].empty());
  const ScopedTwin twin("attribute.postings_without_counts");
  EXPECT_GT(error(TokenIndex(corpus, {}, silent_progress()), 7, 1.5, 0), 1e-3);
}

TEST_F(Index, IsReadAgainFromTheDiskAndMendedWhereItIsDamaged) {
  const TemporaryFolder folder;
  const std::string key = index_key(corpus), path = folder / "index";
  const auto build = [&] {
    return TokenIndex(corpus, curvature::Workspace(path, key, silent_progress()), silent_progress());
  };
  { const TokenIndex first = build(); }
  EXPECT_LT(error(build(), 9, 1.5, 0), 1e-12);
  EXPECT_EQ(curvature::Workspace::peek(path, key).size(), 1u);
  std::vector<int64_t> fewer(499);
  std::iota(fewer.begin(), fewer.end(), 0);
  EXPECT_NE(index_key(data::subset(corpus, fewer)), key);
}

TEST(TokenIndex, AnEmptyCorpusHoldsNothing) {
  const std::vector<Bm25::Terms> questions{{1, 2}};
  EXPECT_TRUE(TokenIndex({}, {}, silent_progress()).best(questions, 5, 1.5, 0)[0].empty());
}

}  // namespace
}  // namespace assay::attribute
