// `assay attribute` killed, stopped and started twice: nothing finished is lost, and the bits are those of a run that
// was left alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/core/philox.h"
#include "tests/acceptance/attribution.h"

namespace assay {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kDocuments = 3000;  // eleven batches of 4,096 positions: each stage is saved on the way

class Interruption : public testing::Test {
 protected:
  struct Straight {
    std::string scores;
    double seconds = 0;
  };
  /// The run that was left alone: one for all tests.
  static const Straight& straight() {
    static const Straight run = [] {
      const TinyAttribution job(kDocuments);
      const Outcome outcome = run_assay(job.into("straight"));
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      return Straight{job.scores("straight"), outcome.seconds};
    }();
    return run;
  }

  void SetUp() override { ASSERT_GT(straight().scores.size(), 4u * kDocuments); }

  void expect_same_bits(const std::string& name) const {
    EXPECT_TRUE(job_.is_finished(name));
    EXPECT_FALSE(std::filesystem::exists(job_.out(name) + "/unfinished"));
    EXPECT_TRUE(job_.scores(name) == straight().scores);
  }

  /// Runs the same command again and expects it to finish with the same bits; returns what it said.
  std::string run_again(const std::string& name) const {
    const Outcome outcome = run_assay(job_.into(name));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    expect_same_bits(name);
    return outcome.err;
  }

  void kill_in_stage(const std::string& stage) const {
    Running first(job_.into(stage));
    ASSERT_TRUE(first.wait_until([&] { return job_.has_partial(stage, stage); })) << first.errors_so_far();
    first.signal(SIGKILL);
    ASSERT_EQ(first.wait().exit_code, 128 + SIGKILL);
    ASSERT_FALSE(job_.is_finished(stage));
  }

  TinyAttribution job_{kDocuments};
};

TEST_F(Interruption, KilledAmongTheCovariancesItGoesOnThere) {
  kill_in_stage("covariances");
  const std::string said = run_again("covariances");
  EXPECT_THAT(said, HasSubstr("covariances: going on at "));
  EXPECT_THAT(said, Not(HasSubstr("reused")));
}

TEST_F(Interruption, KilledAmongTheEigenvaluesItKeepsTheCovariances) {
  kill_in_stage("ekfac");
  const std::string said = run_again("ekfac");
  EXPECT_THAT(said, HasSubstr("covariances: reused those of 14 layers"));
  EXPECT_THAT(said, HasSubstr("eigenvalues: going on at "));
}

TEST_F(Interruption, KilledAmongTheScoresItKeepsTheFit) {
  kill_in_stage("scores");
  const std::string said = run_again("scores");
  EXPECT_THAT(said, HasSubstr("eigenvalues: reused those of 14 layers"));
  EXPECT_THAT(said, HasSubstr("scores: going on at "));
}

TEST_F(Interruption, KilledAtAnyMomentItComesToTheSameBits) {
  for (uint64_t i = 0; i < 2; ++i) {
    const std::string name = "moment" + std::to_string(i);
    const double share = random_uniform(11, stream_of("tests.moments of a kill"), i);
    SCOPED_TRACE(name + " at " + std::to_string(share) + " of the time");
    job_.forget_factors();
    Running first(job_.into(name, {"--quiet"}));
    std::this_thread::sleep_for(std::chrono::duration<double>(share * straight().seconds));
    first.signal(SIGKILL);
    ASSERT_THAT(first.wait().exit_code, AnyOf(0, 128 + SIGKILL));  // a busy machine may be done before
    run_again(name);
  }
}

TEST_F(Interruption, ControlCEndsWithOneSentenceAndCanBeResumed) {
  for (const std::string stage : {"covariances", "scores"}) {
    SCOPED_TRACE(stage);
    Running first(job_.into(stage, {"--quiet"}));
    ASSERT_TRUE(first.wait_until([&] { return job_.has_partial(stage, stage); }));
    first.signal(SIGINT);
    const Outcome stopped = first.wait();
    EXPECT_EQ(stopped.exit_code, 130);
    EXPECT_TRUE(is_one_sentence(stopped.err, "interrupted")) << stopped.err;
    EXPECT_THAT(stopped.err, HasSubstr("\"" + std::string(stage == "scores" ? "scores" : "covariances") + "\""));
    EXPECT_THAT(stopped.err, HasSubstr("the same command resumes"));
    EXPECT_EQ(stopped.out, "");
    EXPECT_FALSE(job_.is_finished(stage));
    EXPECT_THAT(run_again(stage), HasSubstr(stage + ": going on at "));
    job_.forget_factors();
  }
}

TEST_F(Interruption, ASecondProcessOnTheSameFolderIsRefusedAndTheFirstIsNotDisturbed) {
  Running first(job_.into("shared"));
  ASSERT_TRUE(first.wait_until([&] { return std::filesystem::exists(job_.out("shared") + "/run.json"); }));
  first.signal(SIGSTOP);  // or a fast machine would be done before the second begins
  const Outcome second = run_assay(job_.into("shared", {"--quiet"}));
  first.signal(SIGCONT);
  EXPECT_EQ(second.exit_code, 6);
  EXPECT_TRUE(is_one_sentence(second.err, "resource")) << second.err;
  EXPECT_THAT(second.err, HasSubstr("another assay is writing now"));
  EXPECT_EQ(first.wait().exit_code, 0);
  expect_same_bits("shared");
}

TEST_F(Interruption, TwoProcessesWithOneCacheBothFinish) {
  Running first(job_.into("one"));
  // The manifest is written under the lock: a folder alone may not be locked yet.
  ASSERT_TRUE(first.wait_until([&] { return std::filesystem::exists(job_.factors() + "/manifest.json"); }));
  first.signal(SIGSTOP);  // in the middle of its fit, however fast the machine
  const Outcome second = run_assay(job_.into("two"));
  first.signal(SIGCONT);
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("nothing is kept for later runs: locking folder"));
  EXPECT_EQ(first.wait().exit_code, 0);
  expect_same_bits("one");
  expect_same_bits("two");
}

}  // namespace
}  // namespace assay
