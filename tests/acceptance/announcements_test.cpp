// What is said before a long run begins, and that a result outlives the reader of its standard output.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "assay/core/plan.h"
#include "tests/acceptance/attribution.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

double planned_seconds(const TinyAttribution& job, std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--plan", "--json"});
  const Outcome outcome = run_assay(job.words(more));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return json::parse(outcome.out, nullptr, false)["plan"]["seconds"].get<double>();
}

TEST(Announcements, ALongPlanIsSaidWithALimitThatShortensIt) {
  constexpr int kMany = 400;
  constexpr double kThousand = 1e3, kLong = 3000;
  const TinyAttribution job(kMany);
  // A machine, believed to be slow at products alone: their number is what the documents decide. The cache keeps the
  // best of what was measured, so the second, faster one counts.
  const auto claim = [&job](double speed) { keep_ceilings(job.cache(), 1, {speed, speed, 1e15, 1e-12}); };
  claim(kThousand);
  const double at_a_thousand = planned_seconds(job);
  ASSERT_GT(at_a_thousand, kLong);
  claim(kThousand * at_a_thousand / kLong);
  ASSERT_NEAR(planned_seconds(job), kLong, 0.01 * kLong);

  const Outcome outcome = run_assay(job.into("long"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(job.is_finished("long"));
  EXPECT_THAT(outcome.err, HasSubstr("This will take about "));
  const std::string option = "--limit ";
  const size_t place = outcome.err.find(option);
  ASSERT_NE(place, std::string::npos) << outcome.err;
  const std::string number = outcome.err.substr(place + option.size(), 3);
  const int limit = std::atoi(number.c_str());
  ASSERT_GT(limit, 0) << outcome.err;
  ASSERT_LT(limit, kMany) << outcome.err;
  const double shortened = planned_seconds(job, {"--limit", std::to_string(limit)});
  EXPECT_GT(shortened, 300) << "about ten minutes, as plans go: within a factor of 2";
  EXPECT_LT(shortened, 1200);

  EXPECT_THAT(run_assay(job.into("short", {"--limit", "2"})).err, Not(HasSubstr("This will take about")));
}

/// Runs the program with a standard output that nobody reads any more.
Outcome run_unread(const TinyAttribution& job, const std::vector<std::string>& words) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  close(ends[0]);
  const Outcome outcome = run_assay(words, {.environment = {{"ASSAY_CACHE", job.cache()}}, .out_descriptor = ends[1]});
  close(ends[1]);
  return outcome;
}

TEST(Announcements, AClosedPipeTakesNothingFromTheResult) {
  const TinyAttribution job(40);
  const Outcome scored = run_unread(job, job.into("unread", {"--json", "--quiet"}));
  EXPECT_EQ(scored.exit_code, 128 + SIGPIPE);
  EXPECT_EQ(scored.err, "");
  ASSERT_TRUE(job.is_finished("unread"));
  EXPECT_EQ(json::parse(read_bytes(job.out("unread") + "/result.json"))["queries"].size(), 1u);
  EXPECT_THAT(read_bytes(job.out("unread") + "/report.html"), HasSubstr("</html>"));
  EXPECT_FALSE(std::filesystem::exists(job.out("unread") + "/unfinished"));
  ASSERT_EQ(run_assay(job.into("read", {"--json", "--quiet"})).exit_code, 0);
  EXPECT_TRUE(job.scores("unread") == job.scores("read"));

  const Outcome evaluated = run_unread(job, {"evaluate", job.model(), "--data", job.corpus(), "--quiet", "--json",
                                             "--threads", "1", "--out", job.out("losses")});
  EXPECT_EQ(evaluated.exit_code, 128 + SIGPIPE);
  EXPECT_EQ(evaluated.err, "");
  EXPECT_EQ(json::parse(read_bytes(job.out("losses") + "/result.json"))["examples"].size(), 40u);
}

}  // namespace
}  // namespace assay
