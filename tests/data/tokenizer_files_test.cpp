// tokenizer.json: what is read, and that everything else is refused by its name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "assay/core/twin.h"
#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/errors.h"
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

json unigram_file() {
  return json::parse(R"({
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
    "decoder": {"type": "Metaspace", "replacement": "▁"},
    "model": {"type": "Unigram", "unk_id": 0,
        "vocab": [["<unk>", 0.0], ["▁", -2.0], ["a", -2.0], ["b", -2.5], ["▁a", -3.0], ["ab", -4.0]]}})");
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

TEST(TokenizerJson, TheFourKindsAreRead) {
  EXPECT_THAT(load(byte_level_file()).encode("ab ba<|end|>"), ElementsAre(3, 2, 1, 0, 4));
  EXPECT_THAT(load(word_level_file()).encode("yes maybe no"), ElementsAre(1, 0, 2));
  EXPECT_THAT(load(sentencepiece_file()).encode("a aé🦙x"),
              ElementsAre(3, 3, 4, 5, 0));  // one <unk> for the run 🦙x
  EXPECT_THAT(load(unigram_file()).encode("a abxyb"), ElementsAre(4, 4, 3, 0, 3));
  EXPECT_EQ(load(byte_level_file()).description(), "byte-level BPE, 5 tokens");
  EXPECT_EQ(load(unigram_file()).description(), "Unigram, 6 tokens");
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

TEST(TokenizerJson, NfcComesBeforeWhatItChanges) {
  const json file = with(with(byte_level_file(), "/normalizer", {{"type", "NFC"}}), "/model/vocab",
                         {{"a", 0}, {"b", 1}, {"Ġ", 2}, {"ab", 3}, {"Ã", 4}, {"©", 5}});
  const json no_token = with(file, "/added_tokens", json::array());
  EXPECT_THAT(load(no_token).encode("e\u0301"), ElementsAre(4, 5));  // é, by its bytes C3 A9
  EXPECT_TRUE(error_of([&] { load(with(no_token, "/normalizer", nullptr)).encode("e\u0301"); }));
  const ScopedTwin error("data.nfc_skipped");
  EXPECT_TRUE(error_of([&] { load(no_token).encode("e\u0301"); }));
}

json with_metaspace(const json& file, const std::string& scheme, bool split) {
  return with(with(file, "/normalizer", nullptr), "/pre_tokenizer",
              {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", split}});
}

TEST(TokenizerJson, SpacesArePutWhereTheFileSays) {
  const auto ids = [](const json& file, const std::string& text) { return load(file).encode(text); };
  const json marked = with(sentencepiece_file(), "/added_tokens", {{{"id", 6}, {"content", "<s>"}}});
  EXPECT_THAT(ids(marked, " a<s>a"), ElementsAre(1, 3, 6, 3));  // Prepend: always one more
  const json always = with_metaspace(marked, "always", false), first = with_metaspace(marked, "first", false);
  EXPECT_THAT(ids(always, "a<s>a"), ElementsAre(3, 6, 3));
  EXPECT_THAT(ids(always, " a<s> a"), ElementsAre(3, 6, 3));
  EXPECT_THAT(ids(first, "a<s>a"), ElementsAre(3, 6, 2));
  EXPECT_THAT(ids(first, "<s>a"), ElementsAre(6, 2));
  EXPECT_THAT(ids(with_metaspace(marked, "never", false), "a a"), ElementsAre(2, 3));
  const json replace_only =
      with(marked, "/normalizer", {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}});
  EXPECT_THAT(ids(replace_only, "a a"), ElementsAre(2, 3));
  const json old = with(with(marked, "/normalizer", nullptr), "/pre_tokenizer",
                        {{"type", "Metaspace"}, {"replacement", "▁"}, {"add_prefix_space", true}});
  EXPECT_THAT(ids(old, "a a"), ElementsAre(3, 3));
  EXPECT_EQ(load(first).decode(ids(first, "a<s>a")), "a<s>a");
  EXPECT_EQ(load(always).decode(ids(always, "a<s>a")), "a<s>a");
  const auto under = [&](const char* twin, const json& file, const std::string& text) {
    const ScopedTwin error(twin);
    return ids(file, text);
  };
  EXPECT_THAT(under("data.space_doubled", always, " a"), testing::Not(ElementsAre(3)));
  EXPECT_THAT(under("data.space_everywhere", first, "<s>a"), testing::Not(ElementsAre(6, 2)));
}

TEST(TokenizerJson, WordsAreCutBeforeEveryMarkWhereTheFileSays) {
  json file = with(sentencepiece_file(), "/model/vocab/▁▁", 6);
  file["model"]["merges"] = json::parse(R"([["▁", "▁"], ["▁", "a"]])");
  EXPECT_THAT(load(with_metaspace(file, "never", false)).encode("  a"), ElementsAre(6, 2));
  EXPECT_THAT(load(with_metaspace(file, "never", true)).encode("  a"), ElementsAre(1, 3));
}

TEST(TokenizerJson, EveryPartThatAssayDoesNotDoIsRefusedByItsName) {
  const json byte = byte_level_file(), word = word_level_file(), piece = sentencepiece_file(), unigram = unigram_file();
  const auto refuses = [](const json& file, const std::string& words) {
    const auto refusal = refusal_of(file);
    EXPECT_THAT(refusal, Refusal(ErrorKind::Model, words));
    EXPECT_EQ(std::string(refusal ? refusal->what() : "").find("be be"), std::string::npos) << words;
  };
  refuses(with(byte, "/model/type", "WordPiece"), "\"WordPiece\"");
  refuses(with(byte, "/normalizer", {{"type", "NFKC"}}), "NFKC");
  refuses(with(byte, "/normalizer", json::parse(R"({"type": "Sequence", "normalizers": [{"type": "NFC"},
      {"type": "Lowercase"}]})")),
          "NFC + Lowercase");
  refuses(with(word, "/normalizer", {{"type", "Lowercase"}}), "Lowercase");
  refuses(with(piece, "/normalizer", {{"type", "Precompiled"}}), "Precompiled");
  refuses(with(unigram, "/normalizer", {{"type", "Precompiled"}}), "Precompiled");
  refuses(with(piece, "/pre_tokenizer", {{"type", "Metaspace"}}), "Prepend + Replace");
  refuses(with(unigram, "/pre_tokenizer/replacement", "_"), "replacement");
  refuses(with(unigram, "/pre_tokenizer/prepend_scheme", "sometimes"), "prepend_scheme");
  refuses(with(unigram, "/pre_tokenizer/add_prefix_space", false), "add_prefix_space");
  refuses(with(unigram, "/pre_tokenizer", json::parse(R"({"type": "Sequence", "pretokenizers":
      [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁"}]})")),
          "WhitespaceSplit + Metaspace");
  refuses(with(unigram, "/decoder", {{"type", "WordPiece"}}), "WordPiece");
  refuses(with(word, "/pre_tokenizer", {{"type", "BertPreTokenizer"}}), "BertPreTokenizer");
  refuses(with(byte, "/pre_tokenizer", json::parse(R"({"type": "Sequence", "pretokenizers":
      [{"type": "Punctuation"}, {"type": "ByteLevel"}]})")),
          "Punctuation");
  refuses(with(byte, "/pre_tokenizer", json::parse(R"({"type": "Sequence", "pretokenizers":
      [{"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Removed"}, {"type": "ByteLevel"}]})")),
          "behavior");
  refuses(with(byte, "/pre_tokenizer/add_prefix_space", true), "add_prefix_space");
  refuses(with(byte, "/decoder", {{"type", "WordPiece"}}), "WordPiece");
  refuses(with(piece, "/decoder", {{"type", "ByteLevel"}}), "ByteLevel");
  refuses(with(byte, "/post_processor", {{"type", "RobertaProcessing"}}), "RobertaProcessing");
  refuses(with(byte, "/post_processor", json::parse(R"({"type": "TemplateProcessing",
      "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<|end|>"}}]})")),
          "before a text and nothing else");
  refuses(with(byte, "/model/dropout", 0.1), "dropout");
  refuses(with(byte, "/model/continuing_subword_prefix", "##"), "continuing_subword_prefix");
  refuses(with(byte, "/model/end_of_word_suffix", "</w>"), "end_of_word_suffix");
  refuses(with(piece, "/model/byte_fallback", false), "byte_fallback");
  refuses(with(piece, "/model/ignore_merges", true), "ignore_merges");
  refuses(with(piece, "/added_tokens", {{{"id", 0}, {"content", "<unk>"}, {"normalized", true}}}), "normalized");
}

TEST(TokenizerJson, BrokenFilesAreRefusedWithTheFault) {
  const json byte = byte_level_file();
  const auto refuses = [](const json& file, const std::string& words) {
    const auto refusal = refusal_of(file);
    EXPECT_THAT(refusal, Refusal(ErrorKind::Model, words));
    EXPECT_EQ(std::string(refusal ? refusal->what() : "").find("be be"), std::string::npos) << words;
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
  refuses(with(byte, "/added_tokens/0/content", "ab"), "\"ab\" has 4 and 3");
  const json unigram = unigram_file();
  refuses(with(unigram, "/model/vocab", {{"a", 0}}), "model.vocab");
  refuses(with(unigram, "/model/vocab/2", "a"), "entry 2 is \"a\"");
  refuses(with(unigram, "/model/vocab/2", {"a", "b"}), "entry 2");
  refuses(with(unigram, "/model/vocab/2", {"", -1.0}), "entry 2");
  refuses(with(unigram, "/model/vocab/2/0", "b"), "\"b\" has the ids 2 and 3");
  refuses(with(unigram, "/model/unk_id", 6), "unk_id");
  refuses(json::parse(R"({"version": "1.0"})"), "model");
  refuses(json::parse("[]"), "");
}

TEST(SaveTokenizer, EveryKindComesBackTheSame) {
  const json in_front = json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<|end|>"}}, {"Sequence": {"id": "A"}}]})");
  const json split =
      json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": false},
      {"type": "Split", "pattern": {"Regex": "[ab]"}, "behavior": "Isolated"}, {"type": "ByteLevel", "use_regex": false}]})");
  const json removing =
      json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "[ab]"},
      "behavior": "Removed", "invert": true}, {"type": "ByteLevel", "use_regex": false}]})");
  const std::vector<Tokenizer> tokenizers{
      load(byte_level_file(), {{"eos_token", "<|end|>"}}),
      load(with(with(byte_level_file(), "/post_processor", in_front), "/pre_tokenizer", split)),
      load(word_level_file()),
      load(with(word_level_file(), "/pre_tokenizer/type", "Whitespace")),
      load(sentencepiece_file()),
      load(with(with(byte_level_file(), "/normalizer", {{"type", "NFC"}}), "/added_tokens/0",
                {{"id", 4},
                 {"content", "<|end|>"},
                 {"lstrip", true},
                 {"rstrip", true},
                 {"single_word", true},
                 {"normalized", true}})),
      load(with(byte_level_file(), "/pre_tokenizer", removing)),
      load(unigram_file()),
      load(with(unigram_file(), "/model/byte_fallback", true)),
      load(with_metaspace(unigram_file(), "first", false)),
      load(with_metaspace(unigram_file(), "never", true)),
      load(with(with(unigram_file(), "/pre_tokenizer", nullptr), "/normalizer", sentencepiece_file()["normalizer"])),
      load(with_metaspace(sentencepiece_file(), "never", false)),
      load(with(with_metaspace(sentencepiece_file(), "first", true), "/normalizer", {{"type", "NFC"}})),
      word_level_tokenizer({"<unk>", "Oslo", "."}, "<unk>"),
  };
  std::set<std::string> hashes;
  for (const Tokenizer& tokenizer : tokenizers) {
    const TemporaryFolder folder;
    save_tokenizer(tokenizer, folder.path());
    EXPECT_EQ(load_tokenizer(folder.path()).hash(), tokenizer.hash()) << tokenizer.description();
    EXPECT_EQ(load_tokenizer(folder.path()).adds_bos(), tokenizer.adds_bos());
    const std::string text = "ab  a\nb";
    EXPECT_EQ(error_of([&] { tokenizer.encode(text); }).has_value(),
              error_of([&] { load_tokenizer(folder.path()).encode(text); }).has_value());
    hashes.insert(tokenizer.hash());
  }
  EXPECT_EQ(hashes.size(), tokenizers.size());
}

TEST(LoadTokenizer, AFolderMustHoldOneTokenizer) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), Refusal(ErrorKind::Model, "it holds none of them"));
  folder.write("a.gguf", "GGUF");
  folder.write("b.gguf", "GGUF");
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), Refusal(ErrorKind::Model, "2 .gguf files"));
  EXPECT_THAT(error_of([&] { load_tokenizer(folder / "none.json"); }), Refusal(ErrorKind::Model, "none.json"));
}

}  // namespace
}  // namespace assay::data
