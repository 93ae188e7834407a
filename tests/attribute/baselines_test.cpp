// The methods that influence is compared with: cosine, l-RelatIF, representations, BM25, random.
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "assay/attribute/bm25.h"
#include "assay/attribute/groups.h"
#include "assay/attribute/shown.h"
#include "assay/core/twin.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

TEST(Cosine, IsTheDotProductOfUnitGradients) {
  const Scoring scoring{toy_llama(), toy_texts(7, 3, 9, 1), toy_texts(3, 4, 7, 2)};
  const at::Tensor train = flat_gradients(scoring.model, scoring.train, nn::loss());
  const at::Tensor queries = flat_gradients(scoring.model, scoring.queries, nn::loss());
  const at::Tensor expected = queries.div(queries.norm(2, {1}, true)).matmul(train.div(train.norm(2, {1}, true)).t());
  EXPECT_LT(largest_difference(scoring.total("cosine"), expected), 1e-12);
  const ScopedTwin twin("attribute.squared_norm_for_norm");
  EXPECT_GT(largest_difference(scoring.total("cosine"), expected), 1e-2);
}

TEST(Cosine, OfADocumentWithItselfIsOne) {
  const Scoring scoring{toy_llama(), toy_texts(7, 3, 9), toy_texts(7, 3, 9)};
  const auto distance = [&] {
    return largest_difference(scoring.total("cosine").diagonal(), at::scalar_tensor(1.0, at::kDouble));
  };
  EXPECT_LT(distance(), 1e-12);
  const ScopedTwin twin("attribute.squared_norm_for_norm");
  EXPECT_GT(distance(), 1e-2);
}

TEST(Relatif, IsInfluenceOverTheRootOfTheDocumentsOwn) {
  Scoring scoring{toy_llama(), toy_texts(7, 3, 9, 1), toy_texts(3, 4, 7, 2)};
  scoring.parts.self_influence = true;
  const Scores influence = scoring("ekfac");
  const at::Tensor expected = influence.total.div(influence.self_influence.sqrt());
  EXPECT_LT(largest_difference(scoring.total("relatif"), expected), 1e-10 * largest(expected));
  const ScopedTwin twin("attribute.squared_norm_for_norm");
  EXPECT_GT(largest_difference(scoring.total("relatif"), expected), 1e-2 * largest(expected));
}

TEST(Representation, OfADocumentWithItselfIsOneAndNeverMore) {
  const Scoring scoring{toy_llama(), toy_texts(7, 3, 9), toy_texts(7, 3, 9)};
  const at::Tensor total = scoring.total("representation");
  EXPECT_LT(largest_difference(total.diagonal(), at::scalar_tensor(1.0, at::kDouble)), 1e-12);
  EXPECT_LE(largest(total), 1 + 1e-12);
}

TEST(Representation, DoesNotDependOnPadding) {
  const Scoring together{toy_llama(), toy_texts(6, 3, 19), toy_texts(2, 4, 7, 2)};
  for (int64_t i = 0; i < 6; ++i) {
    Scoring one = together;
    one.train = data::subset(together.train, std::vector<int64_t>{i});
    EXPECT_LT(
        largest_difference(one.total("representation").select(1, 0), together.total("representation").select(1, i)),
        1e-12);
  }
}

TEST(Bm25, EqualsItsFormula) {
  // "a b a", "b c", "d": C = 3, mean length 2; query "a b e".
  const std::vector<Bm25::Terms> collection{{1, 2, 1}, {2, 3}, {4}};
  const Bm25 index(collection, 1.2, 0.75);
  const double idf_a = std::log(1 + (3 - 1 + 0.5) / 1.5), idf_b = std::log(1 + (3 - 2 + 0.5) / 2.5);
  const double long_norm = 1.2 * (0.25 + 0.75 * 3 / 2);
  const double expected = idf_a * 2 * 2.2 / (2 + long_norm) + idf_b * 2.2 / (1 + long_norm);
  EXPECT_NEAR(index.score({1, 2, 5}, Bm25::count(collection[0])), expected, 1e-12);
  EXPECT_NEAR(index.score({1, 2, 5}, Bm25::count(collection[1])), idf_b * 2.2 / (1 + 1.2), 1e-12);
  EXPECT_EQ(index.score({1, 2, 5}, Bm25::count(collection[2])), 0);
}

// With b = 0 it is the filter of the EK-FAC sheet: no length in it.
TEST(Bm25, WithoutLengthCorrectionIsTheFilterFormula) {
  const std::vector<Bm25::Terms> collection{{1, 1, 7, 8, 9}, {1, 1}};
  const Bm25 index(collection, 1.5, 0);
  EXPECT_EQ(index.score({1}, Bm25::count(collection[0])), index.score({1}, Bm25::count(collection[1])));
  EXPECT_NEAR(index.score({1}, Bm25::count(collection[1])), std::log(1 + 0.5 / 2.5) * 2.5 * 2 / (1.5 + 2), 1e-12);
}

// The scorer walks the texts twice and holds none: the same as the collection in memory.
TEST(Bm25, OfTextsThatPassByIsThatOfTextsInMemory) {
  const Scoring scoring{toy_llama(), toy_texts(3, 3, 9, 1), toy_texts(1, 4, 7, 2)};
  const std::vector<std::string> texts{"The cat sat.", "A dog", "the dog, and the CAT"};
  const std::string question = "the cat";
  attribute::Inputs inputs{.model = scoring.model,
                           .train = {scoring.train, std::make_shared<data::TextList>(texts)},
                           .queries = {scoring.queries, std::make_shared<data::TextList>(std::vector{question})},
                           .measurement = nn::loss(),
                           .layers = all_layers(scoring.model)};
  const auto scorer = make_scorer(parse_factory("bm25", method_table(), "method"), inputs, silent_progress());
  curvature::Workspace workspace;
  const at::Tensor scores = scorer->score(inputs.train, {}, workspace, silent_progress()).total;
  std::vector<Bm25::Terms> collection;
  for (const std::string& text : texts) collection.push_back(words_of(text));
  const Bm25 index(collection, 1.2, 0.75);
  for (int64_t i = 0; i < 3; ++i) {
    const double expected = index.score(words_of(question), Bm25::count(collection[static_cast<size_t>(i)]));
    EXPECT_EQ(scores[0][i].item<float>(), static_cast<float>(expected));
  }
}

TEST(Words, AreLowerCasedRunsOfLettersAndDigits) {
  EXPECT_EQ(words_of("Don't stop, Ann 42!"), words_of("don't STOP ann  42"));
  EXPECT_EQ(words_of("'quoted'").size(), 1u);
  EXPECT_EQ(words_of("naïve café").size(), 2u);
  EXPECT_TRUE(words_of(" ., ").empty());
}

TEST(Random, BelongsToTheDocumentNotToItsPlace) {
  const Scoring scoring{toy_llama(), toy_texts(7, 3, 9, 1), toy_texts(3, 4, 7, 2)};
  Scoring one = scoring;
  one.train = data::subset(scoring.train, std::vector<int64_t>{5});
  EXPECT_TRUE(one.total("random(seed=2)").select(1, 0).equal(scoring.total("random(seed=2)").select(1, 5)));
  EXPECT_FALSE(scoring.total("random(seed=1)").equal(scoring.total("random(seed=2)")));
}

// Check 7: a group of documents scores what the sum of their gradients does, added up here before any score is taken.
TEST(Groups, ScoreTheSumOfTheirGradients) {
  const Scoring scoring{toy_llama(), toy_texts(9, 3, 12, 1), toy_texts(2, 4, 7, 2)};
  const Groups groups = group_by_name(std::vector<std::string>{"x", "y", "x", "x", "y", "z", "y", "x", "z"});
  const at::Tensor documents = flat_gradients(scoring.model, scoring.train, nn::loss());
  const at::Tensor sums = at::zeros({3, documents.size(1)}, at::kDouble);  // [G,P]
  for (int64_t i = 0; i < 9; ++i) sums.select(0, groups.group_of[static_cast<size_t>(i)]).add_(documents.select(0, i));
  const at::Tensor expected = flat_gradients(scoring.model, scoring.queries, nn::loss()).matmul(sums.t());
  const auto gap = [&] {
    const Scores together = summed_over_documents(scoring("identity"), groups.group_of, 3);
    return largest_difference(together.total, expected) / largest(expected);
  };
  EXPECT_LT(gap(), 1e-12);
  // The walk takes short documents first: with scores in its order a group would be the sum of other documents.
  const ScopedTwin twin("attribute.columns_in_batch_order");
  EXPECT_GT(gap(), 1e-3);
}

TEST(Groups, AreSumsOfRowsAndColumns) {
  Scoring scoring{toy_llama(), toy_texts(5, 3, 9, 1), toy_texts(2, 4, 7, 2)};
  scoring.parts.per_layer = true;
  const Scores apart = scoring("ekfac");
  const Groups groups = group_by_name(std::vector<std::string>{"x", "y", "x", "x", "y"});
  EXPECT_EQ(groups.names, (std::vector<std::string>{"x", "y"}));
  const Scores together = summed_over_documents(apart, groups.group_of, 2);
  EXPECT_LT(largest_difference(together.total.select(1, 1), apart.total.select(1, 1).add(apart.total.select(1, 4))),
            1e-12);
  EXPECT_EQ(together.per_layer.size(2), 2);
  EXPECT_TRUE(summed_over_queries(apart).total.equal(apart.total.sum({0}, true)));
}

TEST(ShownDocuments, StandInOrderWithTokenScoresThatAddUp) {
  const Scoring scoring{toy_llama(), toy_texts(9, 3, 9, 1), toy_texts(2, 4, 7, 2)};
  const Inputs inputs = scoring.inputs();
  const auto scorer = make_scorer(parse_factory("ekfac", method_table(), "method"), inputs, silent_progress());
  curvature::Workspace workspace;
  const at::Tensor total = scorer->score({scoring.train}, {}, workspace, silent_progress()).total;
  const Shown shown = shown_documents(*scorer, {scoring.train}, total, 1, 3, silent_progress());
  ASSERT_FALSE(shown.top.empty());
  double top_sum = 0;
  for (size_t i = 0; i < shown.top.size() + shown.bottom.size(); ++i) {
    const int64_t row = i < shown.top.size() ? shown.top[i] : shown.bottom[i - shown.top.size()];
    const double score = total[1][row].item<double>();
    double sum = 0;
    for (const double token : shown.token_scores[i]) sum += token;
    EXPECT_NEAR(sum, score, 1e-9 * std::abs(score));
    EXPECT_EQ(shown.token_scores[i].size(), scoring.train.examples[static_cast<size_t>(row)].tokens.size());
    EXPECT_EQ(score > 0, i < shown.top.size());
    if (i < shown.top.size()) top_sum += score;
  }
  double layers = 0;
  for (const double layer : shown.layer_scores) layers += layer;
  EXPECT_NEAR(layers, top_sum, 1e-9 * top_sum);
}

TEST(RandomRows, AreDifferentAndSpareTheExcluded) {
  const auto rows = random_rows(10, 8, std::vector<int64_t>{3, 4}, 1);
  EXPECT_EQ(rows.size(), 8u);
  EXPECT_EQ(std::ranges::count(rows, 3), 0);
  EXPECT_EQ(random_rows(3, 30, {}, 1).size(), 3u);
}

}  // namespace
}  // namespace assay::attribute
