// `assay attribute` with several questions and with few documents: how often it walks, and that its check
// has two sides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/acceptance/attribution.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

int times_in(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::vector<std::string> words_of_questions(const TinyAttribution& job, int questions) {
  std::string lines;
  const std::vector<std::string> ends{" sat", " ran", " on", " mat", " dog"};
  for (int q = 0; q < questions; ++q) {
    const json line{{"prompt", q < 5 ? "the cat" : "the dog"}, {"completion", ends[static_cast<size_t>(q % 5)]}};
    lines += line.dump() + "\n";
  }
  return {"attribute", job.model(), "--data",  job.corpus(), "--queries", job.folder().write("questions.jsonl", lines),
          "--method",  "cosine",    "--trust", "no",         "--cache",   job.cache(),
          "--threads", "1"};
}

TEST(AttributeQuestions, AreShownByOneWalkThatThePlanNames) {
  const TinyAttribution job(40);
  std::vector<std::string> words = words_of_questions(job, 10);
  const Outcome run = run_assay(words);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(times_in(run.err, "scores:"), 2) << "one to score, one for what is shown of all ten\n" << run.err;
  words.insert(words.end(), {"--plan", "--json"});
  const Outcome planned = run_assay(words);
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  std::vector<std::string> stages;
  const json plan = json::parse(planned.out)["plan"];
  for (const json& stage : plan["stages"]) stages.push_back(stage["stage"]);
  EXPECT_THAT(stages, ElementsAre("scores", "shown documents"));
}

json trust_of(const TinyAttribution& job, const std::string& out, Outcome& outcome) {
  outcome = run_assay({"attribute", job.model(), "--data", job.corpus(), "--prompt", "the cat", "--completion", " sat",
                       "--method", "cosine", "--cache", job.cache(), "--threads", "1", "--out", job.out(out)});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return json::parse(read_bytes(job.out(out) + "/result.json"));
}

TEST(AttributeTrust, OfEightDocumentsComparesTwoWithSix) {
  Outcome outcome;
  const json result = trust_of(TinyAttribution(8), "few", outcome);
  EXPECT_EQ(result["queries"][0]["trust"]["top"].size(), 2u);
  EXPECT_EQ(result["queries"][0]["trust"]["random"].size(), 6u);
  EXPECT_THAT(outcome.out, HasSubstr("Trust: one training step"));
}

/// t of the check, and what the report says of it.
std::pair<double, std::string> trusted(const TinyAttribution& job, const std::string& measure) {
  const Outcome outcome = run_assay({"attribute", job.model(), "--data", job.corpus(), "--prompt", "the cat",
                                     "--completion", " sat", "--method", "identity", "--measure", measure, "--cache",
                                     job.cache(), "--threads", "1", "--out", job.out(measure)});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("changes the " + measure + " by "));
  const json result = json::parse(read_bytes(job.out(measure) + "/result.json"));
  return {result["queries"][0]["trust"]["t"].get<double>(), read_bytes(job.out(measure) + "/report.html")};
}

TEST(AttributeTrust, OfALossIsThatOfTheLogProbability) {
  // The loss is the log-probability turned round, and scores already are: the check must turn with them.
  const TinyAttribution job(60);
  const auto [t, page] = trusted(job, "logprob");
  const auto [t_of_loss, page_of_loss] = trusted(job, "loss");
  EXPECT_GT(std::abs(t), 2) << "a check that tells nothing has no sign to turn";
  EXPECT_NEAR(t_of_loss, t, 1e-9 * std::abs(t));
  EXPECT_THAT(page, HasSubstr("rise of the log-probability after one step"));
  EXPECT_THAT(page_of_loss, HasSubstr("fall of the loss after one step"));
  EXPECT_THAT(page_of_loss, HasSubstr("one more look at the document lowers the loss"));
  const std::string doubt = "Do not believe these scores";
  EXPECT_EQ(page_of_loss.find(doubt) == std::string::npos, page.find(doubt) == std::string::npos);
  const auto [t_of_margin, page_of_margin] = trusted(job, "margin");
  EXPECT_GT(t * t_of_margin, 0);
  EXPECT_THAT(page_of_margin, HasSubstr("rise of the margin after one step"));
}

TEST(AttributeQuestions, EachHasATableOfItsOwn) {
  const TinyAttribution job(40);
  const Outcome three = run_assay(words_of_questions(job, 3));
  ASSERT_EQ(three.exit_code, 0) << three.err;
  EXPECT_THAT(three.out, HasSubstr("Question 1 of 3: the cat → sat"));
  EXPECT_THAT(three.out, HasSubstr("Question 3 of 3: the cat → on"));
  const Outcome twelve = run_assay(words_of_questions(job, 12));
  EXPECT_EQ(times_in(twelve.out, "Question "), 10);
  EXPECT_THAT(twelve.out, HasSubstr("The other 2 questions are scored, too: --out keeps their scores."));
  std::vector<std::string> kept = words_of_questions(job, 12);
  kept.insert(kept.end(), {"--out", job.out("twelve")});
  ASSERT_EQ(run_assay(kept).exit_code, 0);
  EXPECT_THAT(read_bytes(job.out("twelve") + "/report.html"), HasSubstr("12 queries, the first ten told here"));
  EXPECT_THAT(run_assay(words_of_questions(job, 1)).out, Not(HasSubstr("Question 1")));
}

TEST(AttributeQuestions, SummedAreStillCheckedApart) {
  const TinyAttribution job(40);
  std::vector<std::string> words = words_of_questions(job, 2);
  std::replace(words.begin(), words.end(), std::string("no"), std::string("yes"));  // --trust
  words.insert(words.end(), {"--group", "queries"});
  const Outcome outcome = run_assay(words);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(times_in(outcome.out, "Trust: one training step"), 2) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("Question 2 of 2"));
}

TEST(AttributeQuestions, ArraysNeedAFolder) {
  const TinyAttribution job(8);
  for (const char* option : {"--self", "--per-token", "--per-layer"}) {
    const Outcome outcome = run_assay(job.words({option}));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(std::string("reading ") + option + ": its array goes to scores.safetensors"));
  }
}

TEST(AttributeTrust, OfOneDocumentSaysThatItComparedNothing) {
  Outcome outcome;
  const json result = trust_of(TinyAttribution(1), "one", outcome);
  EXPECT_THAT(result["warnings"].dump(), HasSubstr("one document only"));
  EXPECT_THAT(outcome.err, HasSubstr("one document only"));
}

}  // namespace
}  // namespace assay
