// `assay tokenize --data` on a corpus of several shards: killed between two of them it goes on to the same bytes,
// within the memory that was planned.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

TEST(TokenShardsOfALargeCorpus, AKillBetweenTwoShardsCostsNothingThatWasFinished) {
  const TemporaryFolder folder;
  const std::string model = folder / "model", corpus = folder / "corpus.txt";
  write_tiny_model(model);
  {
    std::ofstream file(corpus, std::ios::binary);
    for (int i = 0; i < 60; ++i) file << tiny_corpus_of(20'000 + i);  // 80 MB, 19 million tokens: three shards
  }
  const auto words = [&](const std::string& out) {
    return std::vector<std::string>{"tokenize", model, "--data", corpus, "--out", folder / out};
  };
  Running first(words("killed"));
  const std::string shard = folder / "killed/shards/shard-000000.safetensors";
  ASSERT_TRUE(first.wait_until([&] { return fs::exists(shard); })) << first.errors_so_far();
  first.signal(SIGKILL);
  ASSERT_EQ(first.wait().exit_code, 128 + SIGKILL);
  const Outcome second = run_assay(words("killed"));
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("going on behind "));
  const Outcome whole = run_assay(words("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  for (const auto& entry : fs::directory_iterator(folder / "whole/shards")) {
    const std::string name = entry.path().filename();
    if (name != ".lock")
      EXPECT_TRUE(read_bytes(folder / ("killed/shards/" + name)) == read_bytes(entry.path())) << name;
  }
  const json cost = json::parse(read_bytes(folder / "whole/result.json"))["cost"];
  const double planned = cost["planned"]["peak_bytes"], peak = cost["actual"]["peak_bytes"];
  EXPECT_LT(peak, planned + std::max(0.25 * planned, 200e6));
  EXPECT_LT(planned, peak + std::max(0.25 * peak, 200e6));
  EXPECT_LT(peak, 600e6) << "whatever the size of the corpus, but for its documents";
}

}  // namespace
}  // namespace assay
