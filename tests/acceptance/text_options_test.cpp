// The options that decide which tokens a model reads and which it says: --long, --bos, --separator, and the sampling of
// `assay generate`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/acceptance/program.h"
#include "tests/acceptance/tiny_model.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::vector<double> scores_by_row(const json& result, size_t rows) {
  std::vector<double> scores(rows, 0.0);
  for (const json& document : result["queries"][0]["top"]) scores[document["row"]] = document["score"];
  return scores;
}

class TextOptions : public testing::Test {
 protected:
  /// One model and one cache for all tests of this file.
  static const TemporaryFolder& folder() {
    static const TemporaryFolder shared;
    static const bool written = [] {
      write_tiny_model(shared / "model");
      return true;
    }();
    EXPECT_TRUE(written);
    return shared;
  }

  Outcome run(std::vector<std::string> words) const {
    words.insert(words.end(), {"--quiet", "--threads", "1"});
    return run_assay(words, {.environment = {{"ASSAY_CACHE", folder() / "cache"}}});
  }
  /// Result of evaluating two documents of 20 and 3 tokens, where the context is 16.
  json evaluated(const std::vector<std::string>& more = {}, const std::string& separator = "<|endoftext|>") const {
    std::vector<std::string> words{"evaluate", model_, "--data", corpus(separator), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return json::parse(outcome.out, nullptr, false);
  }
  std::string corpus(const std::string& separator) const {
    std::string text;
    for (int i = 0; i < 5; ++i) text += "the cat sat on ";
    return folder().write("corpus.txt", text + separator + "the dog ran");
  }
  static std::vector<int> targets(const json& result) {
    std::vector<int> counts;
    for (const json& example : result["examples"]) counts.push_back(example["targets"].get<int>());
    return counts;
  }
  /// From here on the tokenizer names a begin token, and puts it before a text by itself or not.
  void name_begin_token(bool adds_it) {
    model_ = folder() / "with_begin_token";
    write_tiny_model(model_);
    folder().write("with_begin_token/tokenizer_config.json",
                   json{{"bos_token", "<unk>"}, {"add_bos_token", adds_it}}.dump());
  }
  void expect_refused(const Outcome& outcome, int exit_code, const std::string& kind, const std::string& words) const {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_TRUE(is_one_sentence(outcome.err, kind)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  }
  std::string said(const std::vector<std::string>& more) const {
    std::vector<std::string> words{"generate", model_, "--prompt", "the cat", "--max-tokens", "10"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }

  std::string model_ = folder() / "model";
};

TEST_F(TextOptions, LongDocumentsAreCutSplitOrRefused) {
  EXPECT_EQ(targets(evaluated()), (std::vector<int>{15, 2}));
  const json pieces = evaluated({"--long", "split"});
  EXPECT_EQ(targets(pieces), (std::vector<int>{15, 3, 2})) << "the second piece predicts from its own first token";
  EXPECT_EQ(pieces["data"]["tokens"], 23);
  std::vector<std::string> words{"attribute", model_, "--data", corpus("<|endoftext|>"), "--prompt", "the"};
  words.insert(words.end(),
               {"--completion", " cat", "--method", "bm25", "--trust", "no", "--json", "--long", "refuse"});
  expect_refused(run(words), 3, "data", "document 0: a document must fit into a context of 16 tokens, but it has 20");
  words.back() = "split";
  const json result = json::parse(run(words).out, nullptr, false);
  EXPECT_EQ(result["data"]["documents"], 2);
  EXPECT_EQ(result["data"]["examples"], 3);
  EXPECT_EQ(result["data"]["long"], 1);
}

TEST_F(TextOptions, AnotherSeparatorBetweenTheSameDocuments) {
  EXPECT_EQ(evaluated({"--separator", "###"}, "\n###\n")["loss"], evaluated()["loss"]);
  EXPECT_EQ(evaluated({"--separator", "\\n\\t"}, "\n\t")["loss"], evaluated()["loss"])
      << "typed as a shell hands them on";
  EXPECT_EQ(evaluated({"--separator", "\\\\n"}, "\\n")["loss"], evaluated()["loss"]);
}

TEST_F(TextOptions, ABeginTokenIsPutAsAskedOrAsTheTokenizerSays) {
  expect_refused(run({"evaluate", model_, "--data", corpus("<|endoftext|>"), "--bos", "yes"}), 2, "usage",
                 "the tokenizer must name one");
  name_begin_token(true);
  EXPECT_EQ(targets(evaluated()), (std::vector<int>{15, 3})) << "fifteen of twenty: the begin token takes a place";
  EXPECT_EQ(targets(evaluated({"--bos", "no"})), (std::vector<int>{15, 2}));
  name_begin_token(false);
  EXPECT_EQ(targets(evaluated({"--bos", "yes", "--long", "split"})), (std::vector<int>{15, 5, 3}));
}

TEST_F(TextOptions, SamplingFromOneTokenIsGreedy) {
  const std::string greedy = said({});
  EXPECT_EQ(said({"--temperature", "1", "--top-k", "1", "--seed", "3"}), greedy);
  EXPECT_EQ(said({"--temperature", "1", "--top-p", "0.000001", "--seed", "3"}), greedy);
}

TEST_F(TextOptions, TheSeedDecidesWhatIsSampled) {
  const std::string third = said({"--temperature", "1", "--seed", "3"});
  EXPECT_EQ(said({"--temperature", "1", "--seed", "3"}), third);
  EXPECT_NE(said({"--temperature", "1", "--seed", "4"}), third) << "ten draws among eight almost equal tokens";
}

// A document of 21 words, "dog" the last of them, in a context of 16.
TEST_F(TextOptions, WordsThatWereCutAwayMatchNothing) {
  std::string text;
  for (int i = 0; i < 5; ++i) text += "the cat sat on ";
  const std::string corpus = folder().write("last_word.txt", text + "dog<|endoftext|>the mat ran");
  const auto scored = [&](const char* long_texts, size_t rows) {
    const Outcome outcome = run({"attribute", model_, "--data", corpus, "--prompt", "the", "--completion", " dog",
                                 "--method", "bm25", "--trust", "no", "--long", long_texts, "--json"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return scores_by_row(json::parse(outcome.out), rows);
  };
  const std::vector<double> cut = scored("cut", 2), split = scored("split", 3);
  EXPECT_GT(split[1], 2 * std::max(split[0], split[2])) << "the piece that holds the word";
  EXPECT_LT(std::abs(cut[0] - split[0]), 0.5 * split[1]) << "nothing of the word is left";
}

TEST_F(TextOptions, PlainTextHasNoFieldToGroupBy) {
  const Outcome outcome = run({"attribute", model_, "--data", corpus("<|endoftext|>"), "--prompt", "the",
                               "--completion", " cat", "--group", "documents"});
  expect_refused(outcome, 3, "data", "plain text has no fields");
}

}  // namespace
}  // namespace assay
