// The documents shown of several questions: one walk gives what a walk for each question gives, and the plan counts it.
#include "assay/attribute/shown.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "assay/attribute/cost.h"
#include "assay/attribute/gradient_scorer.h"
#include "assay/core/twin.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

/// Counts the walks that score, and their tokens.
class CountedWalks final : public Progress {
 public:
  void begin(std::string_view stage, int64_t total, std::string_view) override {
    if (stage != "scores") return;
    ++walks;
    tokens += total;
  }
  void advance(int64_t) override {}
  void end() override {}
  void note(std::string_view) override {}

  int64_t walks = 0, tokens = 0;
};

FactoryCall method_called(const std::string& text) {
  return parse_factory(text, method_table(), "method");
}

struct TenQuestions {
  Scoring scoring{toy_llama(), toy_texts(14, 3, 9, 1), toy_texts(10, 4, 7, 2)};
  Inputs inputs = scoring.inputs();
  std::unique_ptr<Scorer> scorer;
  at::Tensor total;
  std::vector<int64_t> queries = std::vector<int64_t>(10);

  explicit TenQuestions(const std::string& method)
      : scorer(make_scorer(method_called(method), inputs, silent_progress())) {
    curvature::Workspace workspace;
    total = scorer->score({scoring.train}, {}, workspace, silent_progress()).total;
    std::iota(queries.begin(), queries.end(), 0);
  }
  std::vector<Shown> together(int64_t count, Progress& progress = silent_progress()) const {
    return shown_documents(*scorer, {scoring.train}, total, queries, count, progress);
  }
};

double largest_gap(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return 1e300;
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// Between one walk for all questions and a walk for each.
double gap_to_one_at_a_time(const TenQuestions& asked, int64_t count) {
  const std::vector<Shown> together = asked.together(count);
  double worst = 0;
  for (const int64_t query : asked.queries) {
    const Shown& one = together[static_cast<size_t>(query)];
    const Shown alone =
        shown_documents(*asked.scorer, {asked.scoring.train}, asked.total, query, count, silent_progress());
    EXPECT_EQ(one.top, alone.top);
    EXPECT_EQ(one.bottom, alone.bottom);
    EXPECT_EQ(one.token_scores.size(), one.top.size() + one.bottom.size());
    for (size_t i = 0; i < alone.token_scores.size(); ++i)
      worst = std::max(worst, largest_gap(one.token_scores[i], alone.token_scores[i]));
    worst = std::max(worst, largest_gap(one.layer_scores, alone.layer_scores));
  }
  return worst;
}

TEST(ShownTogether, EqualsEveryQuestionAlone) {
  for (const char* method : {"cosine", "ekfac"}) {
    const TenQuestions asked(method);
    const double unit = largest(asked.total);
    EXPECT_LT(gap_to_one_at_a_time(asked, 3), 1e-11 * unit) << method;  // float64, batches of other sizes
    const ScopedTwin twin("attribute.shown_of_the_first_query");
    EXPECT_GT(gap_to_one_at_a_time(asked, 3), 1e-3 * unit) << method;
  }
}

TEST(ShownTogether, TakesOneWalkOverTheUnion) {
  const TenQuestions asked("cosine");
  CountedWalks counted;
  asked.together(14, counted);
  EXPECT_EQ(counted.walks, 1);
  EXPECT_EQ(counted.tokens, asked.scoring.train.tokens()) << "everything is on one side or the other";
  CountedWalks without_parts;
  const TenQuestions random("random");
  EXPECT_TRUE(random.together(3, without_parts).front().token_scores.empty());
  EXPECT_EQ(without_parts.walks, 0);
}

TEST(ShownTogether, WithoutQuestionsIsNothing) {
  const TenQuestions asked("identity");
  EXPECT_TRUE(shown_documents(*asked.scorer, {asked.scoring.train}, asked.total, std::span<const int64_t>(), 3,
                              silent_progress())
                  .empty());
}

TEST(ShownStage, IsTheScoringOfWhatIsShownWithItsParts) {
  const TenQuestions asked("cosine");
  const FactoryCall method = method_called("cosine");
  Plan plan{{.flops_per_second_fp32 = 1e9, .flops_per_second_bf16 = 1e9, .bytes_per_second = 1e9}};
  add_shown_stage(plan, method, asked.inputs, 10, 14);  // all documents of all ten
  add_score_stage(plan, method, asked.inputs, {.per_token = true, .per_layer = true});
  add_shown_stage(plan, method, asked.inputs, 1, 2);  // four documents of one
  ASSERT_EQ(plan.stages().size(), 3u);
  EXPECT_EQ(plan.stages()[0].name, "shown documents");
  EXPECT_EQ(plan.stages()[0].cost.flops, plan.stages()[1].cost.flops);
  EXPECT_EQ(plan.stages()[0].cost.operator_calls, plan.stages()[1].cost.operator_calls);
  EXPECT_EQ(plan.stages()[0].cost.disk_bytes, 0);
  EXPECT_LT(plan.stages()[2].cost.flops, plan.stages()[0].cost.flops / 4);
  add_shown_stage(plan, method_called("bm25"), asked.inputs, 10, 14);
  EXPECT_EQ(plan.stages().size(), 3u) << "no parts, no walk";
}

TEST(ShownStage, CountsTheWalksThatTheMemoryAllows) {
  TenQuestions asked("cosine");
  const int64_t each = numbers_of_a_direction(asked.scoring.model.architecture(), asked.inputs.layers, 0) * 8;
  for (const int64_t fit : {1, 3, 10}) {
    asked.scoring.memory_bytes = fit * each;
    const Inputs inputs = asked.scoring.inputs();
    const FactoryCall method = method_called("cosine");
    CountedWalks counted;
    const auto scorer = make_scorer(method, inputs, silent_progress());
    shown_documents(*scorer, {asked.scoring.train}, asked.total, asked.queries, 3, counted);
    EXPECT_EQ(counted.walks, planned_walks(method, inputs, 10)) << fit;
    EXPECT_EQ(counted.walks, (10 + fit - 1) / fit);
  }
}

}  // namespace
}  // namespace assay::attribute
