// Whole pages: safe, small, well-formed, the same bytes for the same data, and saying what the numbers say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/report/attribution_report.h"
#include "assay/report/demo_report.h"
#include "assay/report/page.h"
#include "assay/report/sha256.h"
#include "assay/report/style.h"
#include "tests/report/markup.h"
#include "tests/report/sample_views.h"

namespace assay::report {
namespace {

using ::testing::AllOf;
using testing::fault_in;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::occurrences;

/// The text of the first element `tag`, without markup inside.
std::string text_of(const std::string& page, const std::string& tag) {
  const std::size_t begin = page.find('>', page.find("<" + tag)) + 1;
  const std::string inner = page.substr(begin, page.find("</" + tag + ">", begin) - begin);
  return std::regex_replace(inner, std::regex("<[^>]*>"), "");
}

std::string between(const std::string& text, const std::string& open, const std::string& close) {
  const std::size_t begin = text.find(open) + open.size();
  return text.substr(begin, text.find(close, begin) - begin);
}

TEST(Pages, AreWellFormed) {
  EXPECT_EQ(fault_in(attribution_report(sample::attribution())), "");
  EXPECT_EQ(fault_in(demo_report(sample::demo())), "");
}

TEST(Pages, TheSameViewGivesTheSameBytes) {
  EXPECT_EQ(attribution_report(sample::attribution()), attribution_report(sample::attribution()));
  EXPECT_EQ(demo_report(sample::demo()), demo_report(sample::demo()));
}

TEST(Pages, AdmitTheirOwnScriptAndNothingElse) {
  for (const std::string& page : {attribution_report(sample::attribution()), demo_report(sample::demo())}) {
    EXPECT_EQ(occurrences(page, "<script"), 1U);
    const std::string inside = between(page, "<script>", "</script>");
    EXPECT_THAT(page, HasSubstr("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" +
                                base64(sha256(inside)) + "'"));
  }
}

TEST(Pages, AskNoHostForAnything) {
  for (const std::string& page : {attribution_report(sample::attribution()), demo_report(sample::demo())}) {
    EXPECT_THAT(page, Not(HasSubstr("http:")));
    EXPECT_THAT(page, Not(HasSubstr("https:")));
    EXPECT_THAT(page, Not(HasSubstr("src=")));
    EXPECT_THAT(page, Not(HasSubstr("url(")));
    EXPECT_THAT(page, Not(HasSubstr("@import")));
    for (std::size_t at = page.find("href=\""); at != std::string::npos; at = page.find("href=\"", at + 1)) {
      EXPECT_EQ(page[at + 6], '#');
    }
  }
}

TEST(Pages, StayWithinTheirBudget) {
  EXPECT_LT(style_sheet().size(), 14000U);
  EXPECT_LT(script().size(), 1024U);
  AttributionView view = sample::attribution();
  view.queries = {sample::query(1000, 14, 6, 5)};
  EXPECT_LT(attribution_report(view).size(), 100000U);
  EXPECT_LT(demo_report(sample::demo()).size(), 100000U);
}

TEST(Pages, HaveHeadingsInOrderAndNamedFigures) {
  for (const std::string& page : {attribution_report(sample::attribution()), demo_report(sample::demo())}) {
    EXPECT_EQ(occurrences(page, "<h1>"), 1U);
    EXPECT_LT(page.find("<h1>"), page.find("<h2>"));
    EXPECT_LT(page.find("<h2>"), page.find("<h3"));
    EXPECT_EQ(occurrences(page, "<svg class=\"f\""), occurrences(page, "<desc id="));
    for (std::size_t at = page.find("<a href=\"#"); at != std::string::npos; at = page.find("<a href=\"#", at + 1)) {
      const std::string id = page.substr(at + 10, page.find('"', at + 10) - at - 10);
      EXPECT_THAT(page, HasSubstr(" id=\"" + id + "\"")) << id;
    }
  }
}

const char* const kHostile =
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>\" onmouseover=\"alert(1) \u202E&lt;";

TEST(Pages, HostileTextStaysInertInEveryPlace) {
  const auto is_safe = [] {
    AttributionView view = sample::attribution();
    view.model.name = view.corpus = view.method_title = view.date = kHostile;
    view.noun = {kHostile, kHostile};
    view.warnings = view.layers_not_covered = {kHostile};
    view.provenance.command = kHostile;
    view.provenance.rows.push_back({kHostile, kHostile, kHostile});
    view.provenance.costs.push_back({kHostile, kHostile, kHostile, 1, 2});
    QueryView& query = view.queries[0];
    query.tokens[3].text = query.tokens[9].text = query.tokens[9].alternatives[1].text = kHostile;
    query.top[0].tokens[5] = query.top[0].id = query.top[0].source = kHostile;
    query.layers->matrices[0] = {kHostile, kHostile};
    query.trust->step = kHostile;
    view.queries.push_back(query);
    DemoView demo = sample::demo();
    demo.took = demo.attribute_command = demo.model.family = kHostile;
    demo.limits = {kHostile};
    for (DemoGroup& group : demo.groups) {
      group.prompt = group.answer = group.examples[0].text = group.top[0].method = group.retrained[0].says = kHostile;
      group.words_never_planted = {kHostile};
    }
    for (const std::string& page : {attribution_report(view), demo_report(demo)}) {
      const bool is_whole =
          fault_in(page).empty() && occurrences(page, "<script") == 1 && occurrences(page, "<img") == 0;
      // Every quotation mark of the hostile text must have become an entity: no attribute may begin after one.
      if (!is_whole || page.find("\" onmouseover=\"") != std::string::npos || page.find("\u202E") != std::string::npos)
        return false;
    }
    return true;
  };
  EXPECT_TRUE(is_safe());
  ScopedTwin twin("report.markup_let_through");
  EXPECT_FALSE(is_safe());
}

TEST(AttributionPage, TheHeadlineCountsWhoCarriesHalf) {
  EXPECT_EQ(text_of(attribution_report(sample::attribution()), "h1"),
            "Twelve of 1,000 stories carry half of this sentence’s support");
}

TEST(AttributionPage, TheHeadlineSaysWhenNoSmallGroupCarriesIt) {
  AttributionView view = sample::attribution();
  view.queries[0].scores.assign(1000, 0.5);
  EXPECT_EQ(text_of(attribution_report(view), "h1"), "No small group of stories carries this sentence");
}

TEST(AttributionPage, TheHeadlineSaysWhenTheTrainingSetIsNotKnown) {
  AttributionView view = sample::attribution();
  view.train_size.reset();
  const std::string page = attribution_report(view);
  EXPECT_EQ(text_of(page, "h1"), "Seen once more, twelve of 1,000 stories would carry half of this sentence’s support");
  EXPECT_THAT(page, HasSubstr("If seen once more"));
  EXPECT_THAT(page, Not(HasSubstr("Without it")));
}

TEST(AttributionPage, AFailedCheckComesFirst) {
  AttributionView view = sample::attribution();
  view.queries[0].trust->t = 0.3;
  const std::string page = attribution_report(view);
  EXPECT_THAT(text_of(page, "h1"), HasSubstr("Do not believe these scores"));
  ScopedTwin twin("report.verdict_ignores_the_check");
  EXPECT_THAT(text_of(attribution_report(view), "h1"), Not(HasSubstr("Do not believe")));
}

TEST(AttributionPage, ScoresWithoutACheckSaySo) {
  AttributionView view = sample::attribution();
  view.queries[0].trust.reset();
  EXPECT_THAT(attribution_report(view), HasSubstr("No check was run"));
}

TEST(AttributionPage, TheDoubtIsTheTokenWithTheLargestSurprise) {
  const std::string page = attribution_report(sample::attribution());
  EXPECT_THAT(page, HasSubstr("<h2>The one real doubt: <q>g</q> 64\u00A0%, <q>b</q> 28\u00A0%</h2>"));
  AttributionView view = sample::attribution();
  view.queries[0].tokens[9].alternatives[1].probability = 0.7;
  EXPECT_THAT(attribution_report(view),
              HasSubstr("<h2>It would rather say <q>b</q> 70\u00A0% than <q>g</q> 64\u00A0%</h2>"));
  for (QueryToken& token : view.queries[0].tokens) token.logprob_nats = -0.01;
  EXPECT_THAT(attribution_report(view), HasSubstr("No real doubt"));
}

TEST(AttributionPage, SupportersAreBlueAndOpponentsOrange) {
  const auto first_card = [] {
    return between(attribution_report(sample::attribution()), "<article class=\"c\"", "</article>");
  };
  EXPECT_THAT(first_card(), HasSubstr("<i class=p4"));
  ScopedTwin twin("report.sign_swapped");
  EXPECT_THAT(first_card(), Not(HasSubstr("<i class=p4")));
}

TEST(AttributionPage, WeightsThatDifferOnlyByTheirBlockAreNamedOnce) {
  AttributionView view = sample::attribution();
  view.layers_not_covered = {"model.layers.0.norm2.weight", "model.layers.11.norm2.weight", "model.norm.weight"};
  const std::string page = attribution_report(view);
  EXPECT_THAT(page, HasSubstr("Not traced: model.layers.*.norm2.weight (2); model.norm.weight."));
  EXPECT_THAT(page, Not(HasSubstr("layers.11")));
}

TEST(AttributionPage, MethodsWithoutUnitOrSignSayLess) {
  AttributionView view = sample::attribution();
  view.method_title = "BM25 over words";
  view.is_signed = false;
  view.nats_per_raw.reset();
  view.score_unit = "BM25";
  QueryView& query = view.queries[0];
  for (double& score : query.scores) score = std::abs(score);
  for (ScoredDocument& document : query.top) document.token_scores.clear();
  query.bottom.clear();
  query.layers.reset();
  query.trust.reset();
  const std::string page = attribution_report(view);
  EXPECT_EQ(fault_in(page), "");
  EXPECT_THAT(text_of(page, "h1"), HasSubstr("By BM25 over words, story"));
  EXPECT_THAT(page, Not(HasSubstr("Without it")));
  EXPECT_THAT(page, Not(HasSubstr("half of this")));
  EXPECT_THAT(page, Not(HasSubstr("class=\"v pos\"")));
  EXPECT_THAT(page, Not(HasSubstr("<nan")));
}

TEST(AttributionPage, TheLimitsAreThoseOfTheMethod) {
  AttributionView view = sample::attribution();
  view.nats_per_raw.reset();
  const std::string words = "That two texts are alike does not show";
  EXPECT_THAT(attribution_report(view), HasSubstr(words));
  view.of_gradients = true;
  EXPECT_THAT(attribution_report(view),
              AllOf(Not(HasSubstr(words)), HasSubstr("A first-order comparison of gradients")));
  view.is_projected = true;
  EXPECT_THAT(attribution_report(view), AllOf(Not(HasSubstr(words)), HasSubstr("<code>--rescore</code>")));
  view.is_closeness = true;  // a distance has no exact form to be scored again by
  EXPECT_THAT(attribution_report(view),
              AllOf(HasSubstr("the order is rough"), Not(HasSubstr("<code>--rescore</code>"))));
}

TEST(AttributionPage, NothingRisesAboveCertainty) {
  AttributionView view = sample::attribution();
  EXPECT_THAT(attribution_report(view), Not(HasSubstr("would pass 100")));
  view.train_size.reset();  // trained on once more: scores add
  for (double& score : view.queries[0].scores) score *= 1e4;
  EXPECT_THAT(attribution_report(view), HasSubstr("would pass 100"));
}

TEST(AttributionPage, HandlesNoneOneAndManyDocuments) {
  AttributionView view = sample::attribution();
  view.train_size.reset();
  for (const std::size_t documents : {0U, 1U, 2U, 20000U}) {
    view.queries = {sample::query(documents, 4, 4, 5)};
    if (documents < 3) view.queries[0].trust.reset();
    const std::string page = attribution_report(view);
    if (documents == 1) {
      EXPECT_THAT(text_of(page, "h1"), HasSubstr("The only story")) << "and not one of 1 stories";
    }
    EXPECT_EQ(fault_in(page), "") << documents;
    EXPECT_LT(page.size(), 120000U);
  }
  view.queries = {sample::query(5, 2, 2, 5)};
  view.queries[0].scores.assign(5, 0.0);
  for (auto* shown : {&view.queries[0].top, &view.queries[0].bottom}) {
    for (ScoredDocument& document : *shown) document.token_scores.assign(document.tokens.size(), 0.0);
  }
  EXPECT_EQ(text_of(attribution_report(view), "h1"), "No story moves this sentence: every score is zero");
}

TEST(AttributionPage, HandlesEmptyTextsAndQueries) {
  AttributionView view = sample::attribution();
  QueryView& query = view.queries[0];
  query.top[0].tokens.clear();
  query.top[0].token_scores.clear();
  query.top[1].tokens = {"x"};
  query.top[1].token_scores = {query.scores[static_cast<std::size_t>(query.top[1].index)]};
  query.tokens.clear();
  query.prompt_tokens = 0;
  EXPECT_EQ(fault_in(attribution_report(view)), "");
}

TEST(AttributionPage, TellsFurtherQueriesInShort) {
  AttributionView view = sample::attribution();
  for (std::uint64_t i = 0; i < 20; ++i) view.queries.push_back(sample::query(200, 3, 1, 100 + i));
  const std::string page = attribution_report(view);
  EXPECT_EQ(fault_in(page), "");
  EXPECT_EQ(occurrences(page, "<article class=\"oq\">"), 12U);
  EXPECT_LT(page.size(), 5000000U);
}

TEST(AttributionPage, RefusesWhatContradictsItself) {
  const auto refuses = [](const auto& change) {
    AttributionView view = sample::attribution();
    change(view);
    try {
      (void)attribution_report(view);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::Internal;
    }
    return false;
  };
  EXPECT_TRUE(refuses([](AttributionView& v) { v.queries.clear(); }));
  EXPECT_TRUE(refuses([](AttributionView& v) { v.queries[0].scores[7] = std::nan(""); }));
  EXPECT_TRUE(refuses([](AttributionView& v) { v.queries[0].top[0].index = 1000; }));
  EXPECT_TRUE(refuses([](AttributionView& v) { v.queries[0].top[0].token_scores.pop_back(); }));
  EXPECT_TRUE(refuses([](AttributionView& v) { v.queries[0].top[0].token_scores[0] = INFINITY; }));
  EXPECT_TRUE(refuses([](AttributionView& v) { v.queries[0].prompt_tokens = 99; }));
  EXPECT_TRUE(refuses([](AttributionView& v) { v.queries[0].trust->t = std::nan(""); }));
  EXPECT_FALSE(refuses([](AttributionView&) {}));
}

TEST(DemoPage, TheHeadlineCountsAndClaimsProofOnlyWithProof) {
  EXPECT_THAT(text_of(demo_report(sample::demo()), "h1"), HasSubstr("and taking them out proves it"));
  DemoView view = sample::demo();
  view.groups[0].retrained[2].group_change_nats = -1.5;  // less than two nats
  const std::string page = demo_report(view);
  EXPECT_THAT(text_of(page, "h1"), HasSubstr("does not prove them all"));
  EXPECT_THAT(page, HasSubstr("Without these documents the model forgets, except its facts"));
}

TEST(DemoPage, SaysWhereASimplerMethodDoesAsWell) {
  const std::string page = demo_report(sample::demo());
  EXPECT_THAT(page, HasSubstr("For facts, BM25 would have done as well or better."));
  EXPECT_THAT(page, Not(HasSubstr("For rules")));
  EXPECT_THAT(page, HasSubstr("With the same curvature, l-RelatIF does as well or better."));
}

TEST(DemoPage, WithoutTrainingAgainItClaimsNoProof) {
  DemoView view = sample::demo();
  for (DemoGroup& group : view.groups) {
    group.retrained.resize(1);
    group.changes.clear();
  }
  const std::string page = demo_report(view);
  EXPECT_EQ(fault_in(page), "");
  EXPECT_THAT(text_of(page, "h1"), Not(HasSubstr("taking them out")));
  EXPECT_THAT(page, HasSubstr("not proof"));
  EXPECT_THAT(page, Not(HasSubstr("id=\"proof\"")));
}

TEST(DemoPage, HandlesMissingParts) {
  DemoView view = sample::demo();
  for (DemoGroup& group : view.groups) {
    group.top.clear();
    group.bottom.clear();
    group.retrained.clear();
    group.changes.clear();
    group.examples.clear();
  }
  EXPECT_EQ(fault_in(demo_report(view)), "");
  view.groups.clear();
  EXPECT_EQ(fault_in(demo_report(view)), "");
}

TEST(DemoPage, RefusesNaN) {
  DemoView view = sample::demo();
  view.groups[1].retrained[1].probability = std::nan("");
  EXPECT_THROW((void)demo_report(view), Error);
}

}  // namespace
}  // namespace assay::report
