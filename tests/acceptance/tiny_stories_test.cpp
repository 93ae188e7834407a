// A model of the sizes of TinyStories, which states 2048 positions and was trained on 512, and whose vocabulary is
// larger than that of the tokenizer beside it: what its commands say and choose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kWarning = "state 2,048 but were trained on 512, and what they say beyond is not to be relied on";

class TinyStories : public testing::Test {
 protected:
  TinyStories() {
    const json config{{"model_type", "gpt_neo"},
                      {"hidden_size", 4},
                      {"num_heads", 2},
                      {"num_layers", 1},
                      {"intermediate_size", 4},
                      {"window_size", 256},
                      {"attention_layers", {"local"}},
                      {"max_position_embeddings", 2048},
                      {"vocab_size", 50257}};
    nn::save_checkpoint(nn::initialize(nn::make_architecture(config), 1), model_);
    data::save_tokenizer(data::word_level_tokenizer({"<unk>", "the", "cat", "dog", "sat", "on", "mat", "ran"}, "<unk>"),
                         model_);
    std::string text;
    for (int i = 0; i < 100; ++i) text += "the cat sat on the mat ";
    corpus_ = folder_.write("corpus.txt", text + "<|endoftext|>the dog ran");
  }
  /// What a command says beside its results.
  std::string said(std::vector<std::string> words, const std::vector<std::string>& more = {}) const {
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_assay(words, {.environment = {{"ASSAY_CACHE", folder_ / "cache"}}});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.err;
  }

  TemporaryFolder folder_;
  std::string model_ = folder_ / "model", corpus_;
};

TEST_F(TinyStories, TextsBeyondItsTrainingAreWarnedOfByEveryCommand) {
  const std::vector<std::string> evaluate{"evaluate", model_, "--data", corpus_};
  EXPECT_THAT(said(evaluate), HasSubstr(kWarning));
  EXPECT_THAT(said(evaluate), HasSubstr("The longest text takes 599 positions"));
  EXPECT_THAT(said(evaluate, {"--context", "513"}), Not(HasSubstr("trained on 512")));
  EXPECT_THAT(said(evaluate, {"--context", "514"}), HasSubstr(kWarning));

  const std::vector<std::string> generate{"generate", model_, "--prompt", "the cat"};
  EXPECT_THAT(said(generate, {"--max-tokens", "512"}), HasSubstr(kWarning));
  EXPECT_THAT(said(generate, {"--max-tokens", "511"}), Not(HasSubstr("trained on 512")));

  const std::vector<std::string> index{"index", model_, "--data", corpus_, "--out", folder_ / "store", "--rank", "2"};
  EXPECT_THAT(said(index), HasSubstr(kWarning));

  const std::vector<std::string> attribute{"attribute",    model_, "--data",   corpus_,  "--prompt", "the",
                                           "--completion", " cat", "--method", "cosine", "--json"};
  const auto warnings = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = attribute;
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run_assay(words, {.environment = {{"ASSAY_CACHE", folder_ / "cache"}}});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false)["warnings"].dump();
  };
  EXPECT_THAT(warnings({}), HasSubstr(kWarning));
  EXPECT_THAT(warnings({"--context", "512"}), Not(HasSubstr("trained on 512")));
}

// Of padded vocabularies commands choose and show what the tokenizer has.
TEST_F(TinyStories, GeneratedTextIsOfTheTokenizersTokens) {
  const Outcome outcome = run_assay(
      {"generate", model_, "--prompt", "the cat", "--max-tokens", "40", "--temperature", "1", "--json", "--quiet"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json ids = json::parse(outcome.out)["ids"];
  ASSERT_EQ(ids.size(), 40u) << "of 50,257 tokens one of the tokenizer's 8 comes by chance once in 6,000";
  for (const json& id : ids) EXPECT_LT(id.get<int>(), 8);
}

}  // namespace
}  // namespace assay
