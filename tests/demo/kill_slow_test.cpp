// `assay demo` under kill -9 while its models are being trained by processes of their own, and the same command at once
// again: none of them may still be at work, and the bits are those of a run that was left alone.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/acceptance/program.h"

namespace assay {
namespace {

class KilledDemo : public testing::Test {
 protected:
  std::vector<std::string> into(const std::string& name) const {
    return {"demo", "--no-retrain", "--quiet", "--seed", "5", "--out", folder_ / name};
  }
  /// A cache for each, so that no run finds the other's factors.
  Surroundings beside(const std::string& name) const {
    return {.environment = {{"ASSAY_CACHE", folder_ / (name + "-cache")}}};
  }
  std::string bytes(const std::string& name, const std::string& file) const {
    return read_bytes(folder_ / name + "/" + file);
  }

  TemporaryFolder folder_;
};

TEST_F(KilledDemo, GoesOnAtOnceToTheBitsOfAnUndisturbedRun) {
  Running first(into("killed"), beside("killed"));
  ASSERT_TRUE(first.wait_until([&] { return !bytes("killed", "models/everything-0/log.jsonl").empty(); }))
      << first.errors_so_far();
  first.signal(SIGKILL);
  ASSERT_EQ(first.wait().exit_code, 128 + SIGKILL);
  ASSERT_EQ(bytes("killed", "models/everything-0/result.json"), "") << "killed in the middle of the training";

  const Outcome again = run_assay(into("killed"), beside("killed"));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "killed/result.json"));

  const Outcome undisturbed = run_assay(into("undisturbed"), beside("undisturbed"));
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.err;
  for (const std::string file :
       {"models/everything-0/model.safetensors", "models/everything-1/model.safetensors", "scores.safetensors"}) {
    EXPECT_GT(bytes("undisturbed", file).size(), 1000u) << file;
    EXPECT_TRUE(bytes("killed", file) == bytes("undisturbed", file)) << file;
  }
}

}  // namespace
}  // namespace assay
