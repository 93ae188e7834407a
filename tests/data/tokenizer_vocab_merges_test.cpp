// vocab.json and merges.txt: how a text is cut is known of the class or the family that stands beside them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

using nlohmann::json;
using testing::ElementsAre;

/// A folder of the older form: "ab" merges, "<|endoftext|>" is in the vocabulary.
void write_vocab_and_merges(const TemporaryFolder& folder) {
  folder.write("vocab.json", R"({"a": 0, "b": 1, "5": 2, "ab": 3, "55": 4, "<|endoftext|>": 5})");
  folder.write("merges.txt", "#version: 0.2\na b\r\n5 5\n\n");
}

TEST(VocabAndMerges, TheClassSaysHowTextIsCut) {
  const TemporaryFolder folder;
  write_vocab_and_merges(folder);
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2TokenizerFast", "eos_token": "<|endoftext|>"})");
  EXPECT_THAT(load_tokenizer(folder.path()).encode("ab55<|endoftext|>"), ElementsAre(3, 4, 5));
  EXPECT_EQ(load_tokenizer(folder.path()).eos(), 5);
  folder.write("tokenizer_config.json", R"({"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder":
      {"6": {"content": "<|im_end|>", "special": true}, "7": {"content": "!", "lstrip": true}}})");
  const Tokenizer qwen2 = load_tokenizer(folder.path());
  EXPECT_THAT(qwen2.encode("55<|im_end|>a \n!"), ElementsAre(2, 2, 6, 0, 7));
  EXPECT_TRUE(qwen2.definition().normalizes_to_nfc);
  EXPECT_FALSE(qwen2.is_special(7));
  EXPECT_TRUE(qwen2.is_special(5));
}

TEST(VocabAndMerges, TheFamilySaysItWhereNoClassIsNamed) {
  const TemporaryFolder folder;
  write_vocab_and_merges(folder);
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), Refusal(ErrorKind::Model, "tokenizer_class"));
  folder.write("config.json", R"({"model_type": "gpt_neo"})");
  folder.write("added_tokens.json", R"({"<pad>": 6})");
  EXPECT_THAT(load_tokenizer(folder.path()).encode("ab<pad>"), ElementsAre(3, 6));
}

TEST(VocabAndMerges, WhatIsWrongIsRefused) {
  const TemporaryFolder folder;
  write_vocab_and_merges(folder);
  const auto refuses = [&](const char* file, const std::string& content, const std::string& words) {
    const TemporaryFolder wrong;
    write_vocab_and_merges(wrong);
    wrong.write("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer"})");
    wrong.write(file, content);
    EXPECT_THAT(error_of([&] { load_tokenizer(wrong.path()); }), Refusal(ErrorKind::Model, words));
  };
  refuses("tokenizer_config.json", R"({"tokenizer_class": "GPTTokenizer"})", "closest: \"GPT2Tokenizer\"");
  refuses("tokenizer_config.json", R"({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true})",
          "add_prefix_space");
  refuses("tokenizer_config.json",
          R"({"tokenizer_class": "GPT2Tokenizer", "added_tokens_decoder": {"x": {"content": "y"}}})", "\"y\" has -1");
  refuses("added_tokens.json", R"({"ab": 9})", "\"ab\" has 9");
  refuses("merges.txt", "a b c\n", "merge 0 is \"a b c\"");
  refuses("merges.txt", "b a\n", "needs \"ba\"");
  refuses("vocab.json", R"({"a": "b"})", "\"a\" has \"b\"");
}

TEST(VocabAndMerges, Gpt2GivesTheSameIdsAsFromItsTokenizerJson) {
  const std::string gpt2 = data_path("tokenizers/gpt2");
  if (gpt2.empty()) GTEST_SKIP() << no_data("tokenizers/gpt2");
  const json file = json::parse(read_bytes(gpt2 + "/tokenizer.json"));
  const TemporaryFolder folder;
  folder.write("vocab.json", file["model"]["vocab"].dump());
  std::string merges = "#version: 0.2\n";
  for (const json& merge : file["model"]["merges"]) {
    merges +=
        merge.is_string() ? merge.get<std::string>() : merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    merges += "\n";
  }
  folder.write("merges.txt", merges);
  folder.write("config.json", R"({"model_type": "gpt2"})");
  EXPECT_EQ(load_tokenizer(folder.path()).hash(), load_tokenizer(gpt2).hash());
}

}  // namespace
}  // namespace assay::data
