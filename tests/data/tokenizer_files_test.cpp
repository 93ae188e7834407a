// tokenizer.json and GGUF metadata: what is read, and that everything else is refused by its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/errors.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

using nlohmann::json;
using testing::ElementsAre;

json byte_level_file() {
  return json::parse(R"({
    "added_tokens": [{"id": 4, "content": "<|end|>", "special": true}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "post_processor": null,
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3}, "merges": ["a b"]}})");
}

json word_level_file() {
  return json::parse(R"({
    "pre_tokenizer": {"type": "WhitespaceSplit"},
    "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "yes": 1, "no": 2}, "unk_token": "<unk>"}})");
}

json sentencepiece_file() {
  return json::parse(R"({
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
    "model": {"type": "BPE", "byte_fallback": true, "fuse_unk": true, "unk_token": "<unk>",
        "vocab": {"<unk>": 0, "▁": 1, "a": 2, "▁a": 3, "<0xC3>": 4, "<0xA9>": 5}, "merges": [["▁", "a"]]}})");
}

Tokenizer load(const json& file, const json& config = nullptr) {
  const TemporaryFolder folder;
  folder.write("tokenizer.json", file.dump());
  if (!config.is_null()) folder.write("tokenizer_config.json", config.dump());
  return load_tokenizer(folder.path());
}

std::optional<Error> refusal_of(const json& file, const json& config = nullptr) {
  return error_of([&] { load(file, config); });
}

/// The file with `value` in place of what stands at `pointer` ("/model/type").
json with(json file, const std::string& pointer, const json& value) {
  file[json::json_pointer(pointer)] = value;
  return file;
}

TEST(TokenizerJson, TheThreeKindsAreRead) {
  EXPECT_THAT(load(byte_level_file()).encode("ab ba<|end|>"), ElementsAre(3, 2, 1, 0, 4));
  EXPECT_THAT(load(word_level_file()).encode("yes maybe no"), ElementsAre(1, 0, 2));
  EXPECT_THAT(load(sentencepiece_file()).encode("a aé🦙x"),
              ElementsAre(3, 3, 4, 5, 0));  // one <unk> for the run 🦙x
}

TEST(TokenizerJson, BosIsWhatTheFilesSay) {
  const json in_front = json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<|end|>"}}, {"Sequence": {"id": "A"}}]})");
  EXPECT_FALSE(load(byte_level_file()).adds_bos());
  EXPECT_EQ(load(byte_level_file()).bos(), std::nullopt);
  const Tokenizer by_template = load(with(byte_level_file(), "/post_processor", in_front));
  EXPECT_TRUE(by_template.adds_bos());
  EXPECT_EQ(by_template.bos(), 4);
  const Tokenizer by_config =
      load(byte_level_file(), {{"bos_token", {{"content", "<|end|>"}}}, {"add_bos_token", true}});
  EXPECT_TRUE(by_config.adds_bos());
  EXPECT_FALSE(load(with(byte_level_file(), "/post_processor", in_front), {{"add_bos_token", false}}).adds_bos());
  EXPECT_THAT(refusal_of(byte_level_file(), {{"add_bos_token", true}}), Refusal(ErrorKind::Model, "add_bos_token"));
  EXPECT_THAT(refusal_of(byte_level_file(), {{"bos_token", "<s>"}}), Refusal(ErrorKind::Model, "bos_token"));
}

TEST(TokenizerJson, TheChatTemplateIsReadFromWhereItStands) {
  EXPECT_EQ(load(byte_level_file(), {{"chat_template", "x"}}).chat_template(), "x");
  const json named = {{{"name", "tool_use"}, {"template", "t"}}, {{"name", "default"}, {"template", "d"}}};
  EXPECT_EQ(load(byte_level_file(), {{"chat_template", named}}).chat_template(), "d");
  const TemporaryFolder folder;
  folder.write("tokenizer.json", byte_level_file().dump());
  folder.write("chat_template.jinja", "j");
  EXPECT_EQ(load_tokenizer(folder.path()).chat_template(), "j");
}

TEST(TokenizerJson, EveryPartThatAssayDoesNotDoIsRefusedByItsName) {
  const json byte = byte_level_file(), word = word_level_file(), piece = sentencepiece_file();
  const auto refuses = [](const json& file, const std::string& words) {
    EXPECT_THAT(refusal_of(file), Refusal(ErrorKind::Model, words));
    EXPECT_EQ(std::string(refusal_of(file)->what()).find("be be"), std::string::npos) << words;
  };
  refuses(with(byte, "/model/type", "Unigram"), "\"Unigram\"");
  refuses(with(byte, "/model/type", "WordPiece"), "\"WordPiece\"");
  refuses(with(byte, "/normalizer", {{"type", "NFC"}}), "NFC");
  refuses(with(word, "/normalizer", {{"type", "Lowercase"}}), "Lowercase");
  refuses(with(piece, "/normalizer", {{"type", "Precompiled"}}), "Precompiled");
  refuses(with(piece, "/pre_tokenizer", {{"type", "Metaspace"}}), "Metaspace");
  refuses(with(word, "/pre_tokenizer", {{"type", "BertPreTokenizer"}}), "BertPreTokenizer");
  refuses(with(byte, "/pre_tokenizer", json::parse(R"({"type": "Sequence", "pretokenizers":
      [{"type": "Punctuation"}, {"type": "ByteLevel"}]})")),
          "Punctuation");
  refuses(with(byte, "/pre_tokenizer/add_prefix_space", true), "add_prefix_space");
  refuses(with(byte, "/decoder", {{"type", "WordPiece"}}), "WordPiece");
  refuses(with(piece, "/decoder", {{"type", "Metaspace"}}), "Metaspace");
  refuses(with(byte, "/post_processor", {{"type", "RobertaProcessing"}}), "RobertaProcessing");
  refuses(with(byte, "/post_processor", json::parse(R"({"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<|end|>"}}]})")),
          "before a text and nothing else");
  refuses(with(byte, "/model/dropout", 0.1), "dropout");
  refuses(with(byte, "/model/continuing_subword_prefix", "##"), "continuing_subword_prefix");
  refuses(with(byte, "/model/end_of_word_suffix", "</w>"), "end_of_word_suffix");
  refuses(with(piece, "/model/byte_fallback", false), "byte_fallback");
  refuses(with(byte, "/added_tokens/0/lstrip", true), "lstrip");
  refuses(with(byte, "/added_tokens/0/single_word", true), "single_word");
  refuses(with(piece, "/added_tokens", {{{"id", 0}, {"content", "<unk>"}, {"normalized", true}}}), "normalized");
}

TEST(TokenizerJson, BrokenFilesAreRefusedWithTheFault) {
  const json byte = byte_level_file();
  const auto refuses = [](const json& file, const std::string& words) {
    EXPECT_THAT(refusal_of(file), Refusal(ErrorKind::Model, words));
    EXPECT_EQ(std::string(refusal_of(file)->what()).find("be be"), std::string::npos) << words;
  };
  refuses(with(byte, "/model/vocab/ab", 1), "\"ab\" and \"b\" both have 1");
  refuses(with(byte, "/model/vocab/ab", -1), "\"ab\" has -1");
  refuses(with(byte, "/model/vocab/ab", 4000000000), "\"ab\" has 4000000000");
  refuses(with(byte, "/model/vocab/ab", "3"), "\"ab\" has \"3\"");
  refuses(with(byte, "/model/merges/0", "a"), "merge 0 is \"a\"");
  refuses(with(byte, "/model/merges/0", "a b c"), "merge 0");
  refuses(with(byte, "/model/merges/0", "b a"), "needs \"ba\"");
  refuses(with(byte, "/model/merges", "a b"), "merges");
  refuses(with(byte, "/model/unk_token", "<?>"), "\"<?>\" is not");
  refuses(with(byte, "/added_tokens/0/id", 99999999), "id");
  refuses(with(byte, "/added_tokens/0/content", ""), "content");
  refuses(json::parse(R"({"version": "1.0"})"), "model");
  refuses(json::parse("[]"), "");
}

TEST(SaveTokenizer, EveryKindComesBackTheSame) {
  const json in_front = json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<|end|>"}}, {"Sequence": {"id": "A"}}]})");
  const json split =
      json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": false},
      {"type": "Split", "pattern": {"Regex": "[ab]"}, "behavior": "Isolated"}, {"type": "ByteLevel", "use_regex": false}]})");
  const std::vector<Tokenizer> tokenizers{
      load(byte_level_file(), {{"eos_token", "<|end|>"}}),
      load(with(with(byte_level_file(), "/post_processor", in_front), "/pre_tokenizer", split)),
      load(word_level_file()),
      load(with(word_level_file(), "/pre_tokenizer/type", "Whitespace")),
      load(sentencepiece_file()),
      word_level_tokenizer({"<unk>", "Oslo", "."}, "<unk>"),
  };
  std::set<std::string> hashes;
  for (const Tokenizer& tokenizer : tokenizers) {
    const TemporaryFolder folder;
    save_tokenizer(tokenizer, folder.path());
    EXPECT_EQ(load_tokenizer(folder.path()).hash(), tokenizer.hash()) << tokenizer.description();
    EXPECT_EQ(load_tokenizer(folder.path()).adds_bos(), tokenizer.adds_bos());
    hashes.insert(tokenizer.hash());
  }
  EXPECT_EQ(hashes.size(), tokenizers.size());
}

TEST(LoadTokenizer, AFolderMustHoldOneTokenizer) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), Refusal(ErrorKind::Model, "it holds neither"));
  folder.write("a.gguf", "GGUF");
  folder.write("b.gguf", "GGUF");
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), Refusal(ErrorKind::Model, "2 .gguf files"));
  EXPECT_THAT(error_of([&] { load_tokenizer(folder / "none.json"); }), Refusal(ErrorKind::Model, "none.json"));
}

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

TEST(TokenizerGguf, WhatAssayDoesNotDoIsRefusedByItsName) {
  EXPECT_THAT(refusal_of(gguf_tokenizer("llama")), Refusal(ErrorKind::Model, "\"llama\""));
  EXPECT_THAT(refusal_of(gguf_tokenizer("gpt2", "smolm")), Refusal(ErrorKind::Model, "closest: \"smollm\""));
  EXPECT_THAT(refusal_of(gguf_tokenizer("gpt2", "smolm")),
              Refusal(ErrorKind::Model, "must be a pre-tokenizer that Assay"));
  EXPECT_THAT(refusal_of(gguf_tokenizer("llama")),
              Refusal(ErrorKind::Model,
                      "must be \"gpt2\" (byte-level BPE), the one kind that Assay reads from GGUF files, "
                      "but it is \"llama\"; fetch or convert the model again"));
  EXPECT_THAT(refusal_of(gguf_tokenizer().value("tokenizer.ggml.add_eos_token", 7, std::string(1, 1))),
              Refusal(ErrorKind::Model, "add_eos_token"));
  EXPECT_THAT(refusal_of(gguf_tokenizer().integer("tokenizer.ggml.eos_token_id", 4)),
              Refusal(ErrorKind::Model, "below the vocabulary's size, 4"));
}

}  // namespace
}  // namespace assay::data
