// `assay train` under kill -9: the program itself, killed in the middle, then run again.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "assay/data/tokenizer.h"
#include "assay/train/checkpoints.h"
#include "assay/train/log_file.h"
#include "assay/train/record.h"
#include "tests/train/fixtures.h"

extern char** environ;

namespace assay::train {
namespace {

namespace fs = std::filesystem;

class KilledTraining : public testing::Test {
 protected:
  KilledTraining() {
    folder_ = fs::temp_directory_path() / ("assay_kill_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    std::vector<std::string> words = {"<unk>"};
    for (int i = 0; i < 40; ++i) words.push_back("w" + std::to_string(i));
    data::save_tokenizer(data::word_level_tokenizer(words, "<unk>"), folder_ / "words");
    std::ofstream corpus(folder_ / "corpus.txt");
    for (const data::Example& example : sentences(600, 40).examples) {
      for (const int32_t token : example.tokens) corpus << words[static_cast<size_t>(token) + 1] << ' ';
      corpus << '\n';
    }
    std::ofstream(folder_ / "recipe.toml") << R"([model]
family = "llama"
width = 32
blocks = 2
heads = 2
mlp_width = 64
context = 16
[data]
path = "corpus.txt"
tokenizer = "words"
separator = "\n"
[schedule]
rate = 1e-2
[train]
epochs = 12
batch = 16
)";
  }
  ~KilledTraining() override { fs::remove_all(folder_); }

  pid_t start(const std::string& out) const {
    const std::string recipe = folder_ / "recipe.toml", to = folder_ / out;
    std::vector<const char*> arguments = {ASSAY_BINARY, "train", recipe.c_str(), "--out", to.c_str(), "--quiet",
                                          "--threads",  "1",     nullptr};
    pid_t child = 0;
    EXPECT_EQ(posix_spawn(&child, ASSAY_BINARY, nullptr, nullptr, const_cast<char**>(arguments.data()), environ), 0);
    return child;
  }

  static int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  fs::path folder_;
};

TEST_F(KilledTraining, GoesOnToTheBitsOfAnUninterruptedRun) {
  ASSERT_EQ(wait_for(start("straight")), 0);
  const auto straight = read_record(folder_ / "straight");
  ASSERT_TRUE(straight);

  const std::string killed = folder_ / "killed";
  const pid_t child = start("killed");
  const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  const auto enough = static_cast<size_t>(straight->total_steps * 7 / 10);
  while (read_log(killed + "/log.jsonl").size() < enough && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGKILL);
  EXPECT_EQ(wait_for(child), -1);
  EXPECT_FALSE(read_record(killed));
  ASSERT_FALSE(saved_steps(killed).empty());

  ASSERT_EQ(wait_for(start("killed")), 0);
  const auto resumed = read_record(killed);
  ASSERT_TRUE(resumed);
  EXPECT_EQ(resumed->parameters_hash, straight->parameters_hash);
  EXPECT_EQ(read_log(killed + "/log.jsonl").size(), static_cast<size_t>(straight->total_steps));
  const nlohmann::json result = nlohmann::json::parse(std::ifstream(killed + "/result.json"));
  // Killed at 70 % of the steps with a checkpoint each tenth: at least 60 % were there to be used again.
  EXPECT_GE(result["resumed_from"].get<double>(), 0.6 * static_cast<double>(straight->total_steps));
}

}  // namespace
}  // namespace assay::train
