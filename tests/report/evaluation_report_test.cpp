// The page of `assay evaluate`: what its headline says, which examples it shows, and the cases without a number.
#include "assay/report/evaluation_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/report/page.h"
#include "assay/report/sha256.h"
#include "tests/report/markup.h"
#include "tests/report/sample_runs.h"

namespace assay::report {
namespace {

using testing::fault_in;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::occurrences;

std::string evaluation_headline_of(const EvaluationView& view) {
  const std::string page = evaluation_report(view);
  const std::size_t begin = page.find("<h1>") + 4;
  return page.substr(begin, page.find("</h1>") - begin);
}

/// Four documents with known losses per token: 1, 2, 3 and 6.
EvaluationView four_documents() {
  EvaluationView view = sample::evaluation(4);
  view.losses = {10, 40, 30, 60};
  view.targets = {10, 20, 10, 10};
  view.loss = 140;
  view.loss_per_target = 2.8;
  view.perplexity = std::exp(2.8);
  return view;
}

TEST(EvaluationPage, IsWellFormedSafeAndTheSameEachTime) {
  for (const EvaluationView& view : {sample::evaluation(), sample::classifier_evaluation(), sample::evaluation(1)}) {
    const std::string page = evaluation_report(view);
    EXPECT_EQ(fault_in(page), "");
    EXPECT_EQ(page, evaluation_report(view));
    EXPECT_LT(page.size(), 100000U);
    EXPECT_EQ(occurrences(page, "<script"), 1U);
    EXPECT_THAT(page, HasSubstr("script-src 'sha256-" + base64(sha256(script())) + "'"));
    EXPECT_THAT(page, Not(HasSubstr("http:")));
    EXPECT_THAT(page, Not(HasSubstr("https:")));
    EXPECT_EQ(occurrences(page, "<h1>"), 1U);
    EXPECT_EQ(occurrences(page, "<svg class=\"f\""), 1U);
    EXPECT_EQ(occurrences(page, "<desc id="), 1U);
    EXPECT_THAT(page, HasSubstr("<summary>Table: quantiles of the losses"));
    EXPECT_THAT(page, HasSubstr("How to read this"));
    EXPECT_THAT(page, HasSubstr("Run it again"));
  }
}

TEST(EvaluationPage, TheHeadlineIsTheMainFigure) {
  EXPECT_EQ(evaluation_headline_of(four_documents()),
            "stories-sample predicts its data at 2.80 nats a token (perplexity 16.4)");
  EvaluationView classifier = sample::classifier_evaluation();
  EXPECT_THAT(evaluation_headline_of(classifier),
              HasSubstr("digits names the right class of 97.2\u00A0% of its examples"));
  classifier.accuracy = 0.9999;
  EXPECT_THAT(evaluation_headline_of(classifier), Not(HasSubstr("100")));
  EvaluationView regression = sample::classifier_evaluation();
  regression.accuracy.reset();
  regression.perplexity.reset();
  regression.unit = "half squared error";
  const std::string page = evaluation_report(regression);
  EXPECT_THAT(evaluation_headline_of(regression), HasSubstr("with a half squared error of "));
  EXPECT_THAT(page, Not(HasSubstr("Perplexity")));
  EXPECT_THAT(page, Not(HasSubstr("nats")));
}

TEST(EvaluationPage, ExamplesAreComparedByTheirLossATarget) {
  const auto quantiles = [] {
    const std::string page = evaluation_report(four_documents());
    const std::size_t begin = page.find("<summary>Table: quantiles");
    return page.substr(begin, page.find("</details>", begin) - begin);
  };
  // 1, 2, 3, 6 nats a token: the median lies between the second and the third.
  for (const char* value : {">1.000<", ">1.750<", ">2.500<", ">3.750<", ">6.000<"}) {
    EXPECT_THAT(quantiles(), HasSubstr(value));
  }
  ScopedTwin twin("report.loss_by_example");
  EXPECT_THAT(quantiles(), Not(HasSubstr(">2.500<")));
}

TEST(EvaluationPage, ShowsTheHardestAndTheEasiest) {
  const std::string page = evaluation_report(sample::evaluation());
  EXPECT_EQ(occurrences(page, "<article class=\"c"), 20U);
  EXPECT_LT(page.find("The ten hardest"), page.find("The ten easiest"));
  EXPECT_THAT(page, HasSubstr("sample_stories.txt, document "));
  const std::string arrays = evaluation_report(sample::classifier_evaluation());  // no texts: a table
  EXPECT_EQ(occurrences(arrays, "<article"), 0U);
  EXPECT_THAT(arrays, HasSubstr("<code>00000000000000aa</code>"));
}

TEST(EvaluationPage, SaysWhatGuessingWouldCost) {
  EXPECT_THAT(evaluation_report(four_documents()), HasSubstr("An even guess among 512 tokens would cost 6.24."));
  EvaluationView bad = four_documents();
  bad.loss_per_target = 7;
  EXPECT_THAT(evaluation_report(bad), HasSubstr("this is worse than guessing"));
}

TEST(EvaluationPage, HandlesNoneOneAndManyExamples) {
  for (const std::size_t documents : {0U, 1U, 2U, 3U, 20000U}) {
    const std::string page = evaluation_report(sample::evaluation(documents));
    EXPECT_EQ(fault_in(page), "") << documents;
    EXPECT_THAT(page, Not(HasSubstr(">nan")));
    EXPECT_THAT(page, Not(HasSubstr("inf<")));
    EXPECT_LT(page.size(), 100000U);
  }
  EXPECT_EQ(evaluation_headline_of(sample::evaluation(0)), "There was no document to predict");
  EvaluationView equal = four_documents();
  equal.losses = {0, 0, 0, 0};
  equal.loss = equal.loss_per_target = 0;
  equal.perplexity = 1;
  EXPECT_EQ(fault_in(evaluation_report(equal)), "");
}

TEST(EvaluationPage, SaysWhereNothingIsCounted) {
  EvaluationView view = four_documents();
  view.losses = {0, 0, 0, 0};
  view.targets = {0, 0, 0, 0};
  view.loss = 0;
  view.loss_per_target = std::nan("");
  view.perplexity = std::nan("");
  view.worst.clear();
  view.best.clear();
  const std::string page = evaluation_report(view);
  EXPECT_EQ(fault_in(page), "");
  EXPECT_EQ(evaluation_headline_of(view), "No document has a token to predict");
  EXPECT_EQ(occurrences(page, "<svg class=\"f\""), 0U);
  EXPECT_THAT(page, Not(HasSubstr(">nan")));
  EvaluationView partly = four_documents();
  partly.targets[0] = 0;
  partly.losses[0] = 0;
  EXPECT_THAT(evaluation_report(partly), HasSubstr("One document without a token to predict is left out."));
}

TEST(EvaluationPage, ALossThatIsNotANumberComesFirst) {
  EvaluationView view = four_documents();
  view.losses[1] = std::nan("");
  view.loss = view.loss_per_target = std::nan("");
  view.perplexity = std::nan("");
  const std::string page = evaluation_report(view);
  EXPECT_EQ(fault_in(page), "");
  EXPECT_EQ(evaluation_headline_of(view), "The loss is not a number on one of 4 documents");
  EXPECT_THAT(page, HasSubstr("One document whose loss is not a number is left out."));
}

TEST(EvaluationPage, WhatIsNoNumberIsNeitherTheHardestNorTheEasiest) {
  EvaluationView view = four_documents();
  view.worst = {{3, "", "", ""}, {2, "", "", ""}};
  view.best = {{1, "", "", ""}, {0, "", "", ""}};
  const auto says = [&](const std::string& words) { return evaluation_report(view).find(words) != std::string::npos; };
  EXPECT_TRUE(says("Document 3 is the hardest, document 1 the easiest"));
  view.losses[3] = view.losses[1] = std::nan("");
  view.loss = view.loss_per_target = std::nan("");
  view.perplexity = std::nan("");
  EXPECT_TRUE(says("Document 2 is the hardest of those with a number, document 0 the easiest"));
  {
    const ScopedTwin twin("report.ranks_what_is_no_number");
    EXPECT_TRUE(says("Document 3 is the hardest"));
  }
  view.losses = std::vector<double>(4, INFINITY);
  EXPECT_FALSE(says("hardest"));
  EXPECT_EQ(fault_in(evaluation_report(view)), "");
}

TEST(EvaluationPage, HostileTextStaysInert) {
  const char* const hostile = "</script><script>alert(1)</script><img src=x>\" onmouseover=\"alert(1) \u202E&lt;";
  EvaluationView view = sample::evaluation();
  view.model.name = view.model.family = view.data = view.date = hostile;
  view.noun = view.target = {hostile, hostile};
  view.worst[0].text = view.worst[0].id = view.best[0].source = hostile;
  view.provenance.command = hostile;
  view.provenance.rows.push_back({hostile, hostile, hostile});
  EvaluationView arrays = sample::classifier_evaluation();
  arrays.worst[0].id = arrays.unit = hostile;
  for (const std::string& page : {evaluation_report(view), evaluation_report(arrays)}) {
    EXPECT_EQ(fault_in(page), "");
    EXPECT_EQ(occurrences(page, "<script"), 1U);
    EXPECT_EQ(occurrences(page, "<img"), 0U);
    EXPECT_THAT(page, Not(HasSubstr("\" onmouseover=\"")));
    EXPECT_THAT(page, Not(HasSubstr("\u202E")));
  }
}

TEST(EvaluationPage, RefusesWhatContradictsItself) {
  EvaluationView view = four_documents();
  view.targets.pop_back();
  EXPECT_THROW((void)evaluation_report(view), Error);
  view = four_documents();
  view.worst[0].index = 4;
  EXPECT_THROW((void)evaluation_report(view), Error);
}

}  // namespace
}  // namespace assay::report
