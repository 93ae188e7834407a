// The demo's result against docs/results.md, in double precision: every step of it must be told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/documented_keys.h"
#include "tests/acceptance/program.h"

namespace assay {
namespace {

using nlohmann::json;

TEST(DemoResults, InDoublePrecisionAreSoThroughoutAndHaveTheKeysOfTheirPage) {
  const TemporaryFolder folder;
  setenv("ASSAY_CACHE", (folder / "cache").c_str(), 1);
  const std::string out = folder / "demo";
  const Outcome outcome =
      run_assay({"demo", "--no-retrain", "--quiet", "--json", "--dtype", "fp64", "--seed", "2", "--out", out});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json result = json::parse(outcome.out);
  expect_documented_keys(result, "demo");
  for (const char* made_from : {"model", "data"}) EXPECT_EQ(result[made_from]["hash"].get<std::string>().size(), 32u);
  EXPECT_GT(result["cost"]["actual"]["disk_bytes"].get<int64_t>(), 0);
  for (const std::string name : {"everything-0", "everything-1"})
    EXPECT_EQ(json::parse(read_bytes(out + "/models/" + name + "/result.json"))["dtype"], "fp64");
  const Outcome other = run_assay({"demo", "--no-retrain", "--quiet", "--seed", "2", "--out", out});
  EXPECT_EQ(other.exit_code, 2) << "in single precision it is another run";
  EXPECT_TRUE(is_one_sentence(other.err, "usage")) << other.err;
}

}  // namespace
}  // namespace assay
