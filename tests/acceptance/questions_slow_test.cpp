// What the plan of ten questions on a small corpus says, against what they took: the walk over the documents shown is
// then most of the work.
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/acceptance/program.h"
#include "tests/support/data.h"

namespace assay {
namespace {

TEST(TenQuestionsOnStories, ArePlannedWithinAFactorOfTwo) {
  const std::string model = data_path("models/stories260K"), corpus = data_path("text/tinystories_1000.txt");
  if (model.empty() || corpus.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const TemporaryFolder folder;
  std::string lines;
  for (const char* name : {"girl", "boy", "dog", "cat", "bird", "man", "bear", "fish", "car", "tree"}) {
    lines += nlohmann::json{{"prompt", "Once upon a time, there was a little"}, {"completion", std::string(" ") + name}}
                 .dump() +
             "\n";
  }
  std::vector<std::string> words{
      "attribute", model,    "--data",  corpus, "--limit",   "60", "--queries", folder.write("questions.jsonl", lines),
      "--method",  "cosine", "--trust", "no",   "--threads", "1",  "--cache",   folder / "cache",
      "--json"};
  const Outcome run = run_assay(words);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  words.push_back("--plan");
  const Outcome before = run_assay(words);
  ASSERT_EQ(before.exit_code, 0) << before.err;
  const double planned = nlohmann::json::parse(before.out)["plan"]["seconds"].get<double>();
  std::printf("ten questions: planned %.1f s, took %.1f s of the processor\n", planned, run.processor_seconds);
  EXPECT_LT(planned, 2 * run.processor_seconds);
  EXPECT_GT(planned, run.processor_seconds / 2);
}

}  // namespace
}  // namespace assay
