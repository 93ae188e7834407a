// `assay attribute` with several questions and with few documents: how often it walks, and that its check
// has two sides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/attribution.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

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

TEST(AttributeTrust, OfOneDocumentSaysThatItComparedNothing) {
  Outcome outcome;
  const json result = trust_of(TinyAttribution(1), "one", outcome);
  EXPECT_THAT(result["warnings"].dump(), HasSubstr("one document only"));
  EXPECT_THAT(outcome.err, HasSubstr("one document only"));
}

}  // namespace
}  // namespace assay
