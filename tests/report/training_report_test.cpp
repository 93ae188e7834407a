// The page of `assay train`: what its headline says of a falling and of a rising loss, and logs of every length.
#include "assay/report/training_report.h"

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

std::string training_headline_of(const TrainingView& view) {
  const std::string page = training_report(view);
  const std::size_t begin = page.find("<h1>") + 4;
  return page.substr(begin, page.find("</h1>") - begin);
}

/// A log of these losses, at a constant rate.
TrainingView run_of(const std::vector<double>& losses) {
  TrainingView view = sample::training(0);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    view.log.push_back({static_cast<std::int64_t>(i), static_cast<double>(i + 1) / 49, losses[i], 0.001});
  }
  return view;
}

TEST(TrainingPage, IsWellFormedSafeAndTheSameEachTime) {
  const std::string page = training_report(sample::training());
  EXPECT_EQ(fault_in(page), "");
  EXPECT_EQ(page, training_report(sample::training()));
  EXPECT_EQ(occurrences(page, "<script"), 1U);
  EXPECT_THAT(page, HasSubstr("script-src 'sha256-" + base64(sha256(script())) + "'"));
  EXPECT_THAT(page, Not(HasSubstr("http:")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
  EXPECT_EQ(occurrences(page, "<h1>"), 1U);
  EXPECT_EQ(occurrences(page, "<svg class=\"f\""), 2U);  // the loss, and the learning rate in a chart of its own
  EXPECT_EQ(occurrences(page, "<desc id="), 2U);
  for (const char* fact : {"AdamW, weight decay 0.1", "cosine from 0.003", "27,400 tokens a second", "fresh weights",
                           "14 epochs of 49 steps", "after step 69, 138, 207 and 6 more", "How to read this"}) {
    EXPECT_THAT(page, HasSubstr(fact));
  }
}

TEST(TrainingPage, TheHeadlineSaysWhetherTheLossFell) {
  EXPECT_EQ(training_headline_of(run_of({4, 3, 2})), "In three steps the loss fell from 4.00 to 2.00 nats a token");
  const TrainingView rising = run_of({2, 3, 4});
  EXPECT_EQ(training_headline_of(rising),
            "Three steps did not lower the loss: 2.00 before them, 4.00 nats a token at the end");
  ScopedTwin twin("report.training_always_falls");
  EXPECT_THAT(training_headline_of(rising), Not(HasSubstr("did not lower")));
}

TEST(TrainingPage, TheLastFigureIsAMeanOfTheLastSteps) {
  std::vector<double> losses(80, 2.0);  // two steps on each side: at the end the mean of three
  losses[0] = 5;
  losses[79] = 3.5;
  EXPECT_EQ(training_headline_of(run_of(losses)), "In 80 steps the loss fell from 5.00 to 2.50 nats a token");
}

TEST(TrainingPage, SaysWhereTheLossRoseAgain) {
  std::vector<double> losses;
  for (int i = 0; i < 100; ++i) losses.push_back(1 + std::abs(i - 40) / 40.0);
  EXPECT_THAT(training_report(run_of(losses)), HasSubstr("It was lowest near step 41"));
  EXPECT_THAT(training_report(sample::training()), Not(HasSubstr("It was lowest")));
}

TEST(TrainingPage, HandlesLogsOfEveryLength) {
  for (const std::size_t steps : {0U, 1U, 2U, 7U, 40U, 50000U}) {
    const std::string page = training_report(sample::training(steps));
    EXPECT_EQ(fault_in(page), "") << steps;
    EXPECT_LT(page.size(), 150000U) << steps;
    EXPECT_EQ(occurrences(page, "<svg class=\"f\""), steps > 1 ? 2U : 0U);
    EXPECT_THAT(page, Not(HasSubstr(">nan")));
  }
  EXPECT_EQ(training_headline_of(run_of({})), "No step of this training was logged");
  EXPECT_EQ(training_headline_of(run_of({3})), "One step, from a loss of 3.00 nats a token");
  EXPECT_EQ(fault_in(training_report(run_of({0, 0, 0}))), "");
  const std::string fallen = training_report(run_of({8, 1, 0.1, 0.01, 0.001}));
  EXPECT_EQ(fault_in(fallen), "");
  EXPECT_THAT(fallen, HasSubstr("(log scale)"));
  EXPECT_THAT(training_report(sample::training()), Not(HasSubstr("(log scale)")));
}

TEST(TrainingPage, SaysThatARunWasResumedAndClaimsNoSpeedThatItDoesNotKnow) {
  TrainingView view = sample::training();
  view.resumed_from = 138;
  view.seconds = view.tokens_per_second = 0;
  const std::string page = training_report(view);
  EXPECT_THAT(page, HasSubstr("went on after step 138"));
  EXPECT_THAT(page, Not(HasSubstr("tokens a second")));
}

TEST(TrainingPage, HostileTextStaysInert) {
  const char* const hostile = "</script><script>alert(1)</script><img src=x>\" onmouseover=\"alert(1) \u202E&lt;";
  TrainingView view = sample::training();
  view.recipe = view.model.name = view.model.family = view.data = view.start = view.date = hostile;
  view.noun = {hostile, hostile};
  view.optimizer = view.schedule = view.unit = hostile;
  view.provenance.command = hostile;
  const std::string page = training_report(view);
  EXPECT_EQ(fault_in(page), "");
  EXPECT_EQ(occurrences(page, "<script"), 1U);
  EXPECT_EQ(occurrences(page, "<img"), 0U);
  EXPECT_THAT(page, Not(HasSubstr("\" onmouseover=\"")));
  EXPECT_THAT(page, Not(HasSubstr("\u202E")));
}

TEST(TrainingPage, RefusesALogThatContradictsItself) {
  TrainingView view = sample::training();
  view.log[5].loss = std::nan("");
  EXPECT_THROW((void)training_report(view), Error);
  view = sample::training();
  view.log[5].step = 3;
  EXPECT_THROW((void)training_report(view), Error);
}

}  // namespace
}  // namespace assay::report
