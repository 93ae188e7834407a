// Each figure from plain data: what it must show, and what it does with nothing, one, many, zero and NaN.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/report/attribution_sentences.h"
#include "assay/report/distribution.h"
#include "assay/report/heat_map.h"
#include "assay/report/shade.h"
#include "assay/report/share_curve.h"
#include "assay/report/support_strip.h"
#include "assay/report/svg.h"
#include "assay/report/token_strip.h"
#include "assay/report/trust_panel.h"
#include "assay/report/trust_sentences.h"
#include "assay/report/word_runs.h"
#include "tests/report/markup.h"
#include "tests/report/sample_views.h"

namespace assay::report {
namespace {

using ::testing::ElementsAre;
using testing::fault_in;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::occurrences;

const Noun kNoun;

Html strip_of(const std::vector<double>& scores) {
  FigureNumbers numbers;
  const Support support = support_of(scores);
  return support_strip(numbers, support, score_unit(support.largest, "nats"), kNoun, 10);
}

Html distribution_of(const std::vector<double>& scores) {
  FigureNumbers numbers;
  const Support support = support_of(scores);
  std::vector<std::int64_t> top;
  if (!scores.empty()) top.push_back(support.order.front());
  return distribution(numbers, scores, top, {}, score_unit(support.largest, "nats"), kNoun, true);
}

TEST(Support, FindsTheSmallestGroupThatCarriesHalf) {
  const Support support = support_of({1, -2, 5, 0, 3, -4});
  EXPECT_THAT(support.order, ElementsAre(2, 4, 0, 3, 1, 5));
  EXPECT_EQ(support.half, 1);  // 5 of 9
  EXPECT_DOUBLE_EQ(support.share(2), 8.0 / 9);
  EXPECT_DOUBLE_EQ(support.opposition_total, 6);
  EXPECT_EQ(support.opponents(), 2);
  EXPECT_EQ(support_of({1, 1, 1, 1}).half, 2);
  EXPECT_EQ(support_of({}).half, 0);
  EXPECT_EQ(support_of({-1, 0}).half, 0);
}

TEST(Support, PercentilesCountWhoScoresLower) {
  EXPECT_DOUBLE_EQ(percentile_of({3, 1, 2, 2}, 0), 75);
  EXPECT_DOUBLE_EQ(percentile_of({3, 1, 2, 2}, 1), 0);
  EXPECT_DOUBLE_EQ(percentile_of({3, 1, 2, 2}, 2), 25);
}

TEST(Support, RefusesNaN) {
  EXPECT_THROW((void)support_of({0, std::nan("")}), Error);
}

TEST(SupportStrip, DrawsOneSliceForEachOfTheFirstHalf) {
  const Html strip = strip_of(sample::scores(1000, 1, 5));
  const Support support = support_of(sample::scores(1000, 1, 5));
  EXPECT_EQ(fault_in(strip.str()), "");
  EXPECT_EQ(occurrences(strip.str(), "<rect data-d="), static_cast<std::size_t>(support.half));
  EXPECT_THAT(strip.str(), HasSubstr("push the other way"));
}

TEST(SupportStrip, HandlesNothingOneManyAndOnlyOpponents) {
  EXPECT_TRUE(strip_of({}).empty());
  EXPECT_TRUE(strip_of({0, 0, 0}).empty());
  for (const Html& strip : {strip_of({1}), strip_of({-1}), strip_of({-3, 1}), strip_of(sample::scores(20000, 1, 9)),
                            strip_of(std::vector<double>(20000, 1.0))}) {
    EXPECT_EQ(fault_in(strip.str()), "");
    EXPECT_LT(strip.str().size(), 30000U);
  }
  EXPECT_THAT(strip_of({1}).str(), HasSubstr("One document"));
}

TEST(Distribution, DrawsADotForEachDocumentUpTo2000) {
  const std::vector<double> scores = sample::scores(1000, 1, 5);
  const std::string figure = distribution_of(scores).str();
  EXPECT_EQ(fault_in(figure), "");
  EXPECT_EQ(occurrences(figure, "h0"), 1001U);  // and the large one
  EXPECT_THAT(figure, HasSubstr("opposes"));
}

TEST(Distribution, TurnsIntoBarsAboveThat) {
  const std::string figure = distribution_of(sample::scores(20000, 1, 5)).str();
  EXPECT_EQ(fault_in(figure), "");
  EXPECT_EQ(occurrences(figure, "h0"), 1U);
  EXPECT_LT(figure.size(), 16000U);
}

TEST(Distribution, HandlesNothingOneAndZero) {
  EXPECT_TRUE(distribution_of({}).empty());
  for (const std::vector<double>& scores :
       {std::vector<double>{1}, {0}, {0, 0, 0}, {-1, 0, 0, 0, 0, 1}, {1e-30, -1e30}}) {
    EXPECT_EQ(fault_in(distribution_of(scores).str()), "");
  }
}

TEST(ShareCurve, NeedsTwoSupportersAndMarksTheHalf) {
  FigureNumbers numbers;
  EXPECT_TRUE(share_curve(numbers, support_of({}), kNoun).empty());
  EXPECT_TRUE(share_curve(numbers, support_of({1, -1}), kNoun).empty());
  EXPECT_EQ(fault_in(share_curve(numbers, support_of({1, 1}), kNoun).str()), "");
  const Support support = support_of(sample::scores(20000, 1, 5));
  const std::string curve = share_curve(numbers, support, kNoun).str();
  EXPECT_EQ(fault_in(curve), "");
  EXPECT_THAT(curve, HasSubstr(count(support.half) + " documents"));
}

TEST(Shade, MergesRunsAndKeepsBlanksOutside) {
  const ValuedTokens text{{"a", " girl", " named", " Lily", "."}, {0, 0.003, 0.00012, 0.00015, -0.0006}};
  const std::string shaded = shade(text, {0, 5}, SignedSteps::per_token(0.003), score_unit(0.003, "nats")).str();
  EXPECT_EQ(shaded,
            "a <i class=p4 title=\"+0.00300 nats\">girl</i> <i class=p2>named Lily</i><i class=n3 title=\"−0.00060 "
            "nats\">.</i>");
}

TEST(Shade, ChoosesTheWindowWithTheMostToSeeAndCutsAtSentences) {
  ValuedTokens text;
  for (int sentence = 0; sentence < 20; ++sentence) {
    for (int word = 0; word < 9; ++word) {
      text.tokens.push_back(" w");
      text.values.push_back(sentence == 12 ? -1.0 : 0.001);
    }
    text.tokens.emplace_back(".");
    text.values.push_back(0);
  }
  const Window window = best_window(text, 45);
  EXPECT_LE(window.begin, 120U);
  EXPECT_GE(window.end, 130U);
  EXPECT_EQ(window.begin % 10, 0U);
  EXPECT_EQ(window.end % 10, 0U);
  EXPECT_LE(window.end - window.begin, 45U);
}

TEST(Shade, HandlesEmptyTextsOneTokenAndNoValues) {
  EXPECT_EQ(best_window({}, 90).end, 0U);
  const ValuedTokens one{{"x"}, {0.0}};
  EXPECT_EQ(shade(one, best_window(one, 90), SignedSteps::per_token(0), score_unit(0, "")).str(), "x");
  const ValuedTokens words = readable_tokens({"one whole text"}, {});
  EXPECT_THAT(words.tokens, ElementsAre("one", " whole", " text"));
  EXPECT_DOUBLE_EQ(share_of_window(words, {0, 3}), 0);
}

TEST(WordRuns, QuotesWhatHoldsTheShading) {
  const SignedSteps steps = SignedSteps::per_token(1);
  const ValuedTokens text{{"One", " little", " girl", ",", " named", " Lily", "."}, {0, 0.3, 1, 0, 0.01, 0.4, 0}};
  EXPECT_THAT(strongest_runs({text, text}, steps, +1, 2), ElementsAre("little girl", "Lily"));
  EXPECT_TRUE(strongest_runs({text}, steps, -1, 2).empty());
  EXPECT_TRUE(strongest_runs({}, steps, +1, 2).empty());
}

TEST(TokenStrip, NumbersTheCompletionAndHollowsTheQuestion) {
  const std::string strip = token_strip(sample::lily_tokens(), 9, Html()).str();
  EXPECT_EQ(fault_in(strip), "");
  EXPECT_EQ(occurrences(strip, "<em>"), 6U);
  EXPECT_THAT(strip, HasSubstr("0.446"));
}

TEST(TokenStrip, HandlesNoTokensOneTokenAndLongOnes) {
  EXPECT_TRUE(token_strip({}, 0, Html()).empty());
  EXPECT_EQ(fault_in(token_strip({{"x", std::nullopt, {}}}, 0, Html()).str()), "");
  EXPECT_EQ(fault_in(token_strip({{"\n", -3.0, {}}, {"  ", -0.0, {}}}, 1, Html()).str()), "");
  const std::string strip = token_strip(std::vector<QueryToken>(4000, {" a", -1.0, {}}), 2000, Html()).str();
  EXPECT_EQ(fault_in(strip), "");
  EXPECT_LT(strip.size(), 50000U);
  EXPECT_THAT(strip, HasSubstr("the last 60 of 2,000"));
}

TEST(HeatMap, ShowsEveryShareWithItsSign) {
  const std::string map = heat_map(*sample::query(100, 3, 3, 5).layers).str();
  EXPECT_EQ(fault_in(map), "");
  EXPECT_THAT(map, HasSubstr("<td class=p4>17.1</td>"));
  EXPECT_THAT(map, HasSubstr("<td class=n1>−0.3</td>"));
  ScopedTwin twin("report.sign_swapped");
  EXPECT_THAT(heat_map(*sample::query(100, 3, 3, 5).layers).str(), Not(HasSubstr("<td class=n1>−0.3</td>")));
}

TEST(HeatMap, TheFindingNamesTheStrongestPart) {
  LayerShares layers = *sample::query(100, 3, 3, 5).layers;
  EXPECT_EQ(layers_finding(layers), "Two fifths of it runs through the last block");
  layers.shares.assign(30, {1.0 / 30});
  EXPECT_EQ(layers_finding(layers), "No third of the 30 blocks stands out: the strongest carries 33\u00A0%");
  layers.shares.assign(15, {0.02});
  layers.shares.resize(30, {0.7 / 15});
  EXPECT_EQ(layers_finding(layers), "47\u00A0% of it runs through the last third of the 30 blocks");
  layers.shares = {{0.2}, {0.6}, {0.2}};
  EXPECT_EQ(layers_finding(layers), "Three fifths of it runs through block 1");
  layers.shares = {{1}};
  EXPECT_EQ(layers_finding(layers), "All of it runs through the only block");
  layers.shares.clear();
  EXPECT_EQ(layers_finding(layers), "No layer was traced");
}

TEST(HeatMap, MergesBlocksAboveSixteenRows) {
  LayerShares layers = *sample::query(100, 3, 3, 5).layers;
  layers.shares.assign(30, std::vector<double>(7, 1.0 / 210));
  const std::string map = heat_map(layers).str();
  EXPECT_EQ(fault_in(map), "");
  EXPECT_THAT(map, HasSubstr("28–29"));
  EXPECT_THAT(map, HasSubstr("title=\"1.0 %\""));
  EXPECT_TRUE(heat_map({}).empty());
}

TrustCheck check_with(double t) {
  TrustCheck check = *sample::query(100, 10, 0, 5).trust;
  check.t = t;
  return check;
}

TEST(TrustPanel, TheVerdictFollowsTheRule) {
  EXPECT_EQ(verdict_of(check_with(1.99)), Verdict::DoNotBelieve);
  EXPECT_EQ(verdict_of(check_with(-7)), Verdict::DoNotBelieve);
  EXPECT_EQ(verdict_of(check_with(2)), Verdict::Hint);
  EXPECT_EQ(verdict_of(check_with(5)), Verdict::DirectionHolds);
  ScopedTwin twin("report.verdict_ignores_the_check");
  EXPECT_NE(verdict_of(check_with(1.99)), Verdict::DoNotBelieve);
}

TEST(TrustPanel, OnlyTrainingAgainLetsTheRankingBeBelieved) {
  TrustCheck check = check_with(8);
  check.ratio = Interval{0.8, 0.75, 0.85};
  EXPECT_EQ(verdict_of(check), Verdict::DirectionHolds);
  check.is_retraining = true;
  EXPECT_EQ(verdict_of(check), Verdict::Believe);
  check.ratio = Interval{0.8, 0.4, 1.2};
  EXPECT_EQ(verdict_of(check), Verdict::DirectionHolds);
}

TEST(TrustPanel, RingsOnlyWhereTheScoresPredictWhatIsMeasured) {
  FigureNumbers numbers;
  TrustCheck check = check_with(6.9);
  const std::string patch = trust_panel(numbers, check, kNoun).str();
  EXPECT_EQ(fault_in(patch), "");
  EXPECT_THAT(patch, Not(HasSubstr("predicted")));
  EXPECT_THAT(patch, HasSubstr("A small step tests the gradient, not the removal"));
  check.is_retraining = true;
  for (TrustDocument& document : check.top) document.predicted_nats = 1.1 * document.measured_nats;
  const std::string retrained = trust_panel(numbers, check, kNoun).str();
  EXPECT_EQ(fault_in(retrained), "");
  EXPECT_EQ(occurrences(retrained, "stroke:var(--pos);stroke-width:1.5"), 10U);
}

TEST(TrustPanel, HandlesNoDocumentsAndNoChange) {
  FigureNumbers numbers;
  EXPECT_EQ(fault_in(trust_panel(numbers, {}, kNoun).str()), "");
  TrustCheck check;
  check.top = {{0, std::nullopt, 0}};
  check.random = {{1, std::nullopt, 0}};
  EXPECT_EQ(fault_in(trust_panel(numbers, check, kNoun).str()), "");
  check.top[0].measured_nats = std::nan("");
  EXPECT_THROW((void)trust_panel(numbers, check, kNoun), Error);
}

TEST(Svg, PositionsArePercentAcrossWithTwoDecimals) {
  EXPECT_EQ(across(0.37518).str(), "37.52%");
  EXPECT_EQ(across(0.5).str(), "50%");
  EXPECT_EQ(across(-0.00001).str(), "0%");
  EXPECT_EQ(thousandths(0.37518), "375.2");
  EXPECT_EQ(polyline({{0, 1}, {0.5, 2.25}}), "M0 1L500 2.2");
}

TEST(Svg, TicksAreRoundAndHoldZero) {
  EXPECT_THAT(round_ticks({-0.004, 0.035}, 5),
              ElementsAre(::testing::DoubleEq(0), ::testing::DoubleNear(0.01, 1e-12),
                          ::testing::DoubleNear(0.02, 1e-12), ::testing::DoubleNear(0.03, 1e-12)));
}

}  // namespace
}  // namespace assay::report
