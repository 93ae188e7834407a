// The filter before gradients: what it keeps, and that what is kept scores as it would without it.
#include "assay/attribute/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "assay/attribute/bm25.h"
#include "assay/attribute/filter_options.h"
#include "assay/core/twin.h"
#include "tests/support/errors.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

FactoryCall filter(const std::string& text) {
  return parse_factory(text, filter_table(), "filter");
}

std::vector<data::Query> questions_of(const std::vector<std::vector<int32_t>>& tokens) {
  std::vector<data::Query> questions;
  for (const auto& each : tokens) {
    data::Example example;
    example.tokens = each;
    questions.push_back({.text = {}, .example = std::move(example)});
  }
  return questions;
}

Bm25::Terms terms_of(const data::TokenView& tokens, size_t skips) {
  return {tokens.begin() + static_cast<std::ptrdiff_t>(skips), tokens.end()};
}

/// The best of each question by scoring every document, together.
std::set<int64_t> kept_by_force(const data::Dataset& corpus, const std::vector<data::Query>& questions, size_t skips,
                                size_t count) {
  std::vector<Bm25::Terms> all;
  for (const data::ExampleView example : corpus.examples) all.push_back(terms_of(example.tokens, 0));
  const Bm25 bm25(all, 1.2, 0.75);
  std::set<int64_t> kept;
  for (const data::Query& question : questions) {
    std::vector<std::pair<double, int64_t>> scored;
    for (size_t i = 0; i < all.size(); ++i) {
      const double score = bm25.score(terms_of(question.example.tokens, skips), Bm25::count(all[i]));
      if (score > 0) scored.emplace_back(-score, static_cast<int64_t>(i));
    }
    std::ranges::sort(scored);
    scored.resize(std::min(scored.size(), count));
    for (const auto& [score, row] : scored) kept.insert(row);
  }
  return kept;
}

TEST(Filter, KeepsTheBestOfEachQuestionTogether) {
  const data::Dataset corpus = toy_texts(60, 3, 12, 5);
  const std::vector<data::Query> questions = questions_of({{1, 4, 9}, {1, 7, 2}, {1, 3}});
  for (const int64_t count : {1, 5, 1000}) {
    const auto keeps = [&] {
      const Filtered kept =
          filter_documents(filter("bm25(" + std::to_string(count) + ")"), corpus, questions, 1, "", silent_progress());
      EXPECT_TRUE(std::ranges::is_sorted(kept.rows));
      EXPECT_EQ(kept.searched, 60);
      return std::set<int64_t>(kept.rows.begin(), kept.rows.end());
    };
    const std::set<int64_t> expected = kept_by_force(corpus, questions, 1, static_cast<size_t>(count));
    EXPECT_EQ(keeps(), expected) << count;
    if (count != 1) continue;
    const ScopedTwin twin("attribute.filter_of_the_first_question");
    EXPECT_NE(keeps(), expected);
  }
}

// The BOS token stands in every document: it must not decide.
TEST(Filter, SkipsTheBeginToken) {
  const data::Dataset corpus = toy_texts(20, 3, 12, 5);
  const int32_t absent = 1000;
  EXPECT_THAT(error_of([&] {
                filter_documents(filter("bm25"), corpus, questions_of({{corpus.examples[0].tokens[0], absent}}), 1, "",
                                 silent_progress());
              }),
              Refusal(ErrorKind::Data, "a document must share a token with a question, but none does"));
}

TEST(Filter, WhatIsKeptScoresAsWithoutIt) {
  const ToyMlp shape{.features = 6, .hidden = {8}, .outputs = 3};
  const Scoring scoring{toy_mlp(shape), toy_arrays(30, shape, 1), toy_arrays(4, shape, 2)};
  const at::Tensor all = scoring.total("ekfac");
  const std::vector<int64_t> rows{0, 3, 4};
  const data::Dataset some = data::subset(scoring.train, rows);
  const auto difference = [&] {
    curvature::Workspace workspace;
    const at::Tensor kept =
        make_scorer(parse_factory("ekfac", method_table(), "method"), scoring.inputs(), silent_progress())
            ->score({some}, {}, workspace, silent_progress())
            .total;
    double furthest = 0;
    for (size_t i = 0; i < rows.size(); ++i)
      furthest =
          std::max(furthest, largest_difference(kept.select(1, static_cast<int64_t>(i)), all.select(1, rows[i])));
    return furthest / largest(all);
  };
  // The same products of double numbers in batches of another size: sums of some 1e3 terms in another order.
  EXPECT_LT(difference(), 1e-10);
  const ScopedTwin twin("attribute.all_documents_for_those_given");
  EXPECT_GT(difference(), 1e-2);
}

}  // namespace
}  // namespace assay::attribute
