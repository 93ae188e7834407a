// Scores that are known: an oracle that knows every role must be seen to find everything, its negation nothing.
#include "cli/demo_findings.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>

namespace assay::cli {
namespace {

/// +1 for what is planted for a question, −1 for what stands against it, times `sign`.
DemoScores oracle(const data::ThreeCauses& corpus, const std::string& name, float sign) {
  const auto questions = static_cast<int64_t>(corpus.questions.size()),
             documents = static_cast<int64_t>(corpus.documents.size());
  DemoScores scores{.call = name, .title = name, .name = name, .total = at::zeros({questions, documents})};
  float* values = scores.total.mutable_data_ptr<float>();
  for (int64_t question = 0; question < questions; ++question) {
    const int cause = corpus.questions[static_cast<size_t>(question)].cause;
    for (const int64_t row : documents_of(corpus, cause, data::DocumentRole::Planted))
      values[question * documents + row] = sign;
    for (const int64_t row : documents_of(corpus, cause, data::DocumentRole::Against))
      values[question * documents + row] = -sign;
  }
  return scores;
}

DemoTrainingSet answering(const data::ThreeCauses& corpus, double nats, std::vector<int64_t> removed) {
  const std::vector<double> all(corpus.questions.size(), nats);
  return {.removed = std::move(removed),
          .log_probabilities = {{all, all}},
          .says = {},
          .is_as_planted = std::vector<bool>(all.size(), true)};
}

class DemoFindings : public testing::Test {
 protected:
  const data::ThreeCauses corpus = data::three_causes(2);
  const std::vector<DemoScores> scores{oracle(corpus, "knows", 1), oracle(corpus, "lies", -1)};
  const DemoTrainingSet everything = answering(corpus, std::log(0.5), {});
  const std::vector<DemoGroupFindings> groups = find_planted(corpus, scores, everything);
};

TEST_F(DemoFindings, WhoKnowsEveryRoleFindsEverythingAndWhoLiesNothing) {
  ASSERT_EQ(groups.size(), 3u);
  for (const DemoGroupFindings& group : groups) {
    EXPECT_EQ(method_of(group, "knows").precision, 1.0);
    EXPECT_EQ(method_of(group, "lies").precision, 0.0);
    EXPECT_NEAR(group.mean_probability, 0.5, 1e-12);  // 30 sums of double rounding
  }
  EXPECT_EQ(method_of(groups[1], "knows").bottom_precision, 1.0);
  EXPECT_EQ(method_of(groups[1], "lies").bottom_precision, 0.0);
  EXPECT_EQ(groups[0].questions.size(), 30u);
  EXPECT_EQ(groups[1].questions.size(), 12u);
  EXPECT_EQ(groups[2].questions.size(), 10u);
}

TEST_F(DemoFindings, FactsHaveNothingAgainstThem) {
  EXPECT_TRUE(method_of(groups[0], "knows").bottom.empty());
}

TEST_F(DemoFindings, TheTopDocumentsOfWhoKnowsAreAllThatWasPlanted) {
  size_t planted = 0;
  for (const data::CausedDocument& document : corpus.documents)
    planted += document.role == data::DocumentRole::Planted ? 1 : 0;
  const std::vector<int64_t> top = top_documents(corpus, scores.front());
  EXPECT_EQ(top.size(), planted);
  for (const int64_t row : top) EXPECT_EQ(corpus.documents[static_cast<size_t>(row)].role, data::DocumentRole::Planted);
}

TEST_F(DemoFindings, RemovalIsPredictedByTheScoresAndMeasuredAgainstEverything) {
  const auto documents = static_cast<int64_t>(corpus.documents.size());
  const DemoTrainingSet without_top = answering(corpus, std::log(0.5) - 2, top_documents(corpus, scores.front()));
  const DemoTrainingSet without_random = answering(corpus, std::log(0.5) - 0.25, {});
  const RemovalOnGroup removal =
      removal_on(groups[0], scores.front(), documents, 2, everything, without_top, without_random);
  EXPECT_NEAR(removal.without_top, -2, 1e-12);
  EXPECT_NEAR(removal.without_random, -0.25, 1e-12);
  for (const double predicted : removal.predicted)
    EXPECT_NEAR(predicted, -6.0 / static_cast<double>(2 * documents), 1e-12);
  EXPECT_FALSE(removal.spearman);  // both columns are constant
}

TEST_F(DemoFindings, ShownIsTheMiddleOneOfTheQuestionsAnsweredAsPlanted) {
  DemoTrainingSet uneven = everything;
  std::vector<double>& nats = uneven.log_probabilities.by_seed.front();
  for (size_t question = 0; question < nats.size(); ++question) nats[question] = -1 - static_cast<double>(question);
  // Facts are the questions 0 to 29, the likeliest first. Answered as planted: 0, 1, 2, 20, 21; the middle one is 2.
  uneven.is_as_planted.assign(nats.size(), false);
  for (const size_t question : {0u, 1u, 2u, 20u, 21u}) uneven.is_as_planted[question] = true;
  const std::vector<DemoGroupFindings> found = find_planted(corpus, scores, uneven);
  EXPECT_EQ(found[0].answered, 5);
  EXPECT_EQ(found[0].questions[found[0].shown], 2u);
  EXPECT_EQ(found[1].answered, 0);  // none: the middle of all twelve, 30 to 41, the less likely half first
  EXPECT_EQ(found[1].questions[found[1].shown], 35u);
}

}  // namespace
}  // namespace assay::cli
