// `assay evaluate` killed, stopped and started again: what was done is not done twice, and the bits are those of a run
// that was left alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr int kManyDocuments = 20'000;  // seventy-four batches, saved eight times at most

class InterruptedEvaluation : public testing::Test {
 protected:
  InterruptedEvaluation() {
    write_tiny_model(folder_ / "model");
    setenv("ASSAY_CACHE", (folder_ / "cache").c_str(), 1);
  }

  std::vector<std::string> into(const std::string& name) const {
    return {"evaluate", folder_ / "model", "--data", corpus_, "--threads", "1", "--out", folder_ / name};
  }
  json examples(const std::string& name) const {
    return json::parse(read_bytes(folder_ / (name + "/result.json")), nullptr, false)["examples"];
  }
  bool has_partial(const std::string& name) const {
    const std::string manifest = read_bytes(folder_ / (name + "/unfinished/manifest.json"));
    return manifest.find("partial.predictions") != std::string::npos;
  }

  TemporaryFolder folder_;
  std::string corpus_ = folder_.write("corpus.txt", tiny_corpus_of(kManyDocuments));
};

TEST_F(InterruptedEvaluation, GoesOnToTheSameBits) {
  ASSERT_EQ(run_assay(into("straight")).exit_code, 0);
  const json straight = examples("straight");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "straight/unfinished"));
  for (const int how : {SIGKILL, SIGINT}) {
    const std::string name = how == SIGKILL ? "killed" : "stopped";
    SCOPED_TRACE(name);
    Running first(into(name));
    ASSERT_TRUE(first.wait_until([&] { return has_partial(name); })) << first.errors_so_far();
    first.signal(how);
    ASSERT_EQ(first.wait().exit_code, how == SIGKILL ? 128 + SIGKILL : 130);
    ASSERT_FALSE(std::filesystem::exists(folder_ / (name + "/result.json")));

    const Outcome again = run_assay(into(name));
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_THAT(again.err, HasSubstr("evaluate: going on at "));
    EXPECT_TRUE(examples(name) == straight);
    EXPECT_FALSE(std::filesystem::exists(folder_ / (name + "/unfinished")));
  }
}

}  // namespace
}  // namespace assay
