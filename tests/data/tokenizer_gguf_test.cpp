// The tokenizer in a GGUF file's metadata: what is read, and that everything else is refused by its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/errors.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

using testing::ElementsAre;

GgufWriter gguf_tokenizer(const std::string& model = "gpt2", const std::string& pre = "gpt-2") {
  GgufWriter file;
  file.text("tokenizer.ggml.model", model).text("tokenizer.ggml.pre", pre);
  file.texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<|end|>"}).texts("tokenizer.ggml.merges", {"a b"});
  return file;
}

Tokenizer load(const GgufWriter& file) {
  const TemporaryFolder folder;
  return load_tokenizer(folder.write("model.gguf", file.bytes()));
}

std::optional<Error> refusal_of(const GgufWriter& file) {
  return error_of([&] { load(file); });
}

TEST(TokenizerGguf, MetadataAreRead) {
  const std::string types = gguf_number(uint32_t{5}) + gguf_number(uint64_t{4}) + gguf_number(int32_t{1}) +
                            gguf_number(int32_t{1}) + gguf_number(int32_t{1}) + gguf_number(int32_t{3});
  GgufWriter file = gguf_tokenizer();
  file.value("tokenizer.ggml.token_type", 9, types).integer("tokenizer.ggml.bos_token_id", 3);
  const Tokenizer tokenizer = load(file);
  EXPECT_THAT(tokenizer.encode("abb<|end|>a"), ElementsAre(2, 1, 3, 0));
  EXPECT_EQ(tokenizer.bos(), 3);
  EXPECT_FALSE(tokenizer.adds_bos());
  EXPECT_TRUE(load(GgufWriter(file).value("tokenizer.ggml.add_bos_token", 7, std::string(1, 1))).adds_bos());
}

/// A byte-level vocabulary of every character in "a5'sé" and of "5" twice, under a named pre-tokenizer.
GgufWriter gguf_pieces(const std::string& pre) {
  GgufWriter file;
  file.text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", pre);
  file.texts("tokenizer.ggml.tokens",
             {"a", "5", "'", "S", "Ã", "©", "e", "Ì", "ģ", "55", "555", "5555", "'S", "Ġ", "ĠĠ"});
  file.texts("tokenizer.ggml.merges", {"5 5", "55 5", "55 55", "' S", "Ġ Ġ"});
  return file;
}

TEST(TokenizerGguf, ThePreTokenizersNameDecides) {
  const std::string text = "5555a'S e\u0301";
  const auto ids = [&](const std::string& pre) { return load(gguf_pieces(pre)).encode(text); };
  EXPECT_THAT(ids("gpt-2"), ElementsAre(11, 0, 2, 3, 13, 6, 7, 8));
  EXPECT_EQ(ids("phi-2"), ids("gpt-2"));
  EXPECT_THAT(ids("olmo"), ElementsAre(11, 0, 2, 3, 13, 4, 5));  // NFC
  EXPECT_EQ(ids("mpt"), ids("olmo"));
  EXPECT_THAT(ids("smollm"), ElementsAre(1, 1, 1, 1, 0, 2, 3, 13, 6, 7, 8));
  EXPECT_EQ(ids("starcoder"), ids("smollm"));
  EXPECT_THAT(ids("qwen2"), ElementsAre(1, 1, 1, 1, 0, 12, 13, 4, 5));
  EXPECT_THAT(ids("llama-bpe"), ElementsAre(10, 1, 0, 12, 13, 6, 7, 8));
  EXPECT_EQ(ids("llama3"), ids("llama-bpe"));
  EXPECT_THAT(ids("default"), ElementsAre(10, 1, 0, 2, 3, 13, 6, 7, 8));
  EXPECT_TRUE(load(gguf_pieces("llama-bpe").integer("tokenizer.ggml.bos_token_id", 0)).adds_bos());
  EXPECT_FALSE(load(gguf_pieces("qwen2").integer("tokenizer.ggml.bos_token_id", 0)).adds_bos());
}

GgufWriter gguf_sentencepiece() {
  GgufWriter file;
  file.text("tokenizer.ggml.model", "llama").text("tokenizer.ggml.pre", "default");
  file.texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "▁", "a", "b", "ab", "▁a", "<0xC3>", "<0xA9>"});
  const std::vector<float> scores{0, 0, -3, -4, -5, -2, -1, 0, 0};
  const std::vector<int32_t> types{2, 3, 1, 1, 1, 1, 1, 6, 6};
  std::string score_bytes = gguf_number(uint32_t{6}) + gguf_number(uint64_t{scores.size()});
  for (const float score : scores) score_bytes += gguf_number(score);
  std::string type_bytes = gguf_number(uint32_t{5}) + gguf_number(uint64_t{types.size()});
  for (const int32_t type : types) type_bytes += gguf_number(type);
  file.value("tokenizer.ggml.scores", 9, score_bytes).value("tokenizer.ggml.token_type", 9, type_bytes);
  return file.integer("tokenizer.ggml.bos_token_id", 1).integer("tokenizer.ggml.unknown_token_id", 0);
}

TEST(TokenizerGguf, SentencePieceMergesByScore) {
  const Tokenizer tokenizer = load(gguf_sentencepiece());
  EXPECT_THAT(tokenizer.encode("ab"), ElementsAre(6, 4));  // "▁a" scores more than "ab"
  EXPECT_THAT(tokenizer.encode("bab é<s>x"), ElementsAre(2, 4, 5, 2, 7, 8, 1, 2, 0));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("bab é<s>")), "bab é<s>");
  EXPECT_TRUE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.bos(), 1);
  const std::string no = std::string(1, 0);
  EXPECT_THAT(load(gguf_sentencepiece().value("tokenizer.ggml.add_space_prefix", 7, no)).encode("ab"), ElementsAre(5));
  EXPECT_FALSE(load(gguf_sentencepiece().value("tokenizer.ggml.add_bos_token", 7, no)).adds_bos());
}

TEST(TokenizerGguf, WhatAssayDoesNotDoIsRefusedByItsName) {
  EXPECT_THAT(refusal_of(gguf_tokenizer("t5")), Refusal(ErrorKind::Model, "\"t5\""));
  EXPECT_THAT(refusal_of(gguf_tokenizer("llama", "qwen2")), Refusal(ErrorKind::Model, "\"default\""));
  EXPECT_THAT(refusal_of(gguf_tokenizer("llama", "default")), Refusal(ErrorKind::Model, "tokenizer.ggml.scores"));
  EXPECT_THAT(refusal_of(gguf_sentencepiece().text("tokenizer.ggml.precompiled_charsmap", "x")),
              Refusal(ErrorKind::Model, "precompiled_charsmap"));
  EXPECT_THAT(refusal_of(gguf_tokenizer("gpt2", "smolm")),
              Refusal(ErrorKind::Model,
                      "but it is \"smolm\"; take a model with one of these, or this one as a folder with "
                      "its tokenizer.json"));
  EXPECT_THAT(refusal_of(gguf_tokenizer("gpt2", "smolm")),
              Refusal(ErrorKind::Model, "must be a pre-tokenizer that Assay"));
  EXPECT_THAT(refusal_of(gguf_tokenizer("bert")),
              Refusal(ErrorKind::Model,
                      "must be \"gpt2\" (byte-level BPE) or \"llama\" (SentencePiece BPE), the kinds that Assay reads "
                      "from GGUF files, but it is \"bert\"; take a model with one of these"));
  EXPECT_THAT(refusal_of(gguf_tokenizer().value("tokenizer.ggml.add_eos_token", 7, std::string(1, 1))),
              Refusal(ErrorKind::Model, "add_eos_token"));
  EXPECT_THAT(refusal_of(gguf_tokenizer().integer("tokenizer.ggml.eos_token_id", 4)),
              Refusal(ErrorKind::Model, "below the vocabulary's size, 4"));
}

}  // namespace
}  // namespace assay::data
