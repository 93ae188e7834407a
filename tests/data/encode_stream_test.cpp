// Encoding block by block gives the ids of the whole text, for every kind of tokenizer, block and window.
#include "assay/data/encode_stream.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "assay/core/twin.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/hostile_text.h"
#include "tests/support/temporary_folder.h"

namespace assay::data {
namespace {

std::vector<int32_t> streamed(const Tokenizer& tokenizer, std::string_view text, size_t block, size_t window) {
  std::vector<int32_t> ids;
  size_t at = 0;
  encode_stream(
      tokenizer,
      [&](std::span<char> room) {
        const size_t bytes = text.substr(at, std::min(block, room.size())).copy(room.data(), room.size());
        at += bytes;
        return bytes;
      },
      [&](std::span<const int32_t> some) { ids.insert(ids.end(), some.begin(), some.end()); }, {.window = window});
  return ids;
}

/// GPT-2's vocabulary with added tokens of every kind behind it: special, of spaces as NeoX has them, taking white
/// space around them, single words, one the beginning of another, one that only its NFC is.
TokenizerDefinition gpt2_with_all_tokens(const std::string& folder) {
  TokenizerDefinition definition = load_tokenizer(folder).definition();
  const auto add = [&](AddedToken token) {
    token.id = 50257 + static_cast<int32_t>(definition.added_tokens.size());
    definition.added_tokens.push_back(token);
  };
  definition.normalizes_to_nfc = true;
  add({.content = "<mask>", .takes_left = true});
  add({.content = "<r>", .takes_right = true});
  add({.content = "<mask><r>"});
  add({.content = "zqz", .special = false, .single_word = true});
  add({.content = "lzqr", .special = false, .takes_left = true, .takes_right = true, .single_word = true});
  add({.content = "e\u0301", .special = false, .normalized = true});
  add({.content = "of it", .special = false, .normalized = true});
  add({.content = "word <", .special = false});
  for (const size_t spaces : {2u, 3u, 5u, 8u})
    add({.content = std::string(spaces, ' '), .special = false, .normalized = true});
  return definition;
}

std::vector<std::string> snippets() {
  std::vector<std::string> all = hostile_snippets();
  for (const char* token :
       {"<mask>", "<r>", "<mask><r>", "zqz", "zqz ", "lzqr", "     ", "<|endoftext|", "word ", "of it"}) {
    all.push_back(token);
  }
  return all;
}

std::map<std::string, Tokenizer> make_tokenizers() {
  std::map<std::string, Tokenizer> all;
  if (const std::string folder = data_path("tokenizers/gpt2"); !folder.empty()) {
    TokenizerDefinition definition = load_tokenizer(folder).definition();
    all.emplace("GPT-2", Tokenizer(definition));
    definition.split_rules = {split::llama3()};
    definition.ignores_merges = true;
    all.emplace("Llama 3", Tokenizer(definition));
    definition.split_rules = {split::each_digit(), split::gpt2()};
    all.emplace("SmolLM2", Tokenizer(definition));
    definition.split_rules = {{"[^,]+,?"}};  // a pattern whose cuts are not known
    all.emplace("unknown pattern", Tokenizer(definition));
    definition = gpt2_with_all_tokens(folder);
    all.emplace("all tokens", Tokenizer(definition));
    definition.split_rules = {split::qwen2()};
    definition.normalizes_to_nfc = false;
    all.emplace("all tokens without NFC", Tokenizer(definition));
  }
  if (const std::string folder = data_path("models/stories260K"); !folder.empty()) {
    TokenizerDefinition definition = load_tokenizer(folder).definition();
    for (const AddedSpace added : {AddedSpace::EveryStretch, AddedSpace::WhereMissing, AddedSpace::FirstStretch}) {
      definition.added_space = added;
      all.emplace(fmt::format("stories260K {}", static_cast<int>(added)), Tokenizer(definition));
    }
    definition.kind = TokenizerKind::Unigram;
    definition.merges.clear();
    definition.unknown = 0;
    definition.falls_back_to_bytes = true;
    for (size_t id = 0; id < definition.vocabulary.size(); ++id) {
      definition.log_probabilities.push_back(-2.0 - 0.01 * static_cast<double>(id));
    }
    all.emplace("Unigram", Tokenizer(definition));
    definition.cuts_words = true;
    all.emplace("Unigram of words", Tokenizer(definition));
  }
  return all;
}

const std::map<std::string, Tokenizer>& tokenizers() {
  static const std::map<std::string, Tokenizer> all = make_tokenizers();
  return all;
}

/// Texts, of 300, that any block and window encodes otherwise than the whole.
size_t wrong_texts(const Tokenizer& tokenizer) {
  size_t wrong = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::string text = hostile_text(seed, 60, snippets());
    const std::vector<int32_t> whole = tokenizer.encode(text);
    const size_t block = 1 + seed % 7 * (seed % 11);
    bool is_right = true;
    for (const size_t window : {1u, 30u, 100u}) is_right &= streamed(tokenizer, text, block, window) == whole;
    if (!is_right) ++wrong;
  }
  return wrong;
}

TEST(EncodeStream, GivesTheIdsOfTheWholeText) {
  if (tokenizers().empty()) GTEST_SKIP() << no_data("tokenizers");
  for (const auto& [name, tokenizer] : tokenizers()) EXPECT_EQ(wrong_texts(tokenizer), 0u) << name;
}

TEST(EncodeStream, ACutElsewhereGivesOthers) {
  if (data_path("tokenizers/gpt2").empty()) GTEST_SKIP() << no_data("tokenizers/gpt2");
  const auto& all = tokenizers();
  const auto wrong_under = [&](const char* twin, const std::string& name) {
    const ScopedTwin error(twin);
    return wrong_texts(all.at(name));
  };
  EXPECT_GT(wrong_under("data.cut_anywhere", "GPT-2"), 100u);
  EXPECT_GT(wrong_under("data.cut_behind_spaces", "GPT-2"), 50u);
  EXPECT_GT(wrong_under("data.cut_in_added_token", "all tokens"), 10u);
}

TEST(EncodeStream, EveryBlockSizeGivesTheSame) {
  if (tokenizers().empty()) GTEST_SKIP() << no_data("tokenizers");
  const std::string text = hostile_text(7, 80, snippets()) + " end of it <|endoftext|>  and more\n\nzqz <mask> e\u0301";
  for (const auto& [name, tokenizer] : tokenizers()) {
    const std::vector<int32_t> whole = tokenizer.encode(text);
    for (size_t block = 1; block <= text.size(); ++block) {
      ASSERT_EQ(streamed(tokenizer, text, block, 1), whole) << name << ", blocks of " << block;
    }
  }
}

TEST(EncodeStream, MemoryStaysBelowTheTextAndIdsComeOnTheWay) {
  const std::string folder = data_path("tokenizers/gpt2"), plays = data_path("text/tinyshakespeare.txt");
  if (folder.empty() || plays.empty()) GTEST_SKIP() << no_data("tokenizers/gpt2");
  const Tokenizer tokenizer = load_tokenizer(folder);
  const std::string text = read_bytes(plays);
  StreamEncoder encoder(tokenizer, {.window = 4096});
  std::vector<int32_t> ids;
  size_t most_open = 0, decoded = 0;
  for (size_t at = 0; at < text.size(); at += 1000) {
    const size_t before = ids.size();
    encoder.feed(std::string_view(text).substr(at, 1000), ids);
    decoded += tokenizer.decode(std::span(ids).subspan(before)).size();
    most_open = std::max(most_open, std::min(at + 1000, text.size()) - decoded);
  }
  encoder.finish(ids);
  EXPECT_EQ(ids, tokenizer.encode(text));
  EXPECT_LT(most_open, 4096u + 1000u);  // a window, and the block with which it was exceeded
}

TEST(EncodeStream, AnEncoderIsReadyForAnotherTextAfterOne) {
  if (data_path("models/stories260K").empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Tokenizer tokenizer = load_tokenizer(data_path("models/stories260K"));
  StreamEncoder encoder(tokenizer, {.window = 1});
  for (const std::string text : {"Lily had a ball", "", "Tom ran <s> home"}) {
    std::vector<int32_t> ids;
    encoder.feed(text, ids);
    encoder.finish(ids);
    EXPECT_EQ(ids, tokenizer.encode(text));
  }
}

TEST(EncodeStream, WordsWithoutEndAreRefused) {
  const auto& all = tokenizers();
  if (!all.contains("GPT-2")) GTEST_SKIP() << no_data("tokenizers/gpt2");
  const auto refusal = [&](const std::string& name, const std::string& text) {
    return error_of([&] {
      std::vector<int32_t> ids;
      StreamEncoder encoder(all.at(name), {.window = 16, .most_without_cut = 1000});
      for (size_t at = 0; at < text.size(); at += 10) encoder.feed(std::string_view(text).substr(at, 10), ids);
    });
  };
  const std::string letters(3000, 'a');
  EXPECT_THAT(refusal("GPT-2", "hello " + letters),
              Refusal(ErrorKind::Data, "a space after a word must come at least every 1000 bytes, but in bytes 5 to"));
  EXPECT_THAT(refusal("unknown pattern", "to be or not " + letters), Refusal(ErrorKind::Data, "<|endoftext|>"));
  std::string documents;
  for (int i = 0; i < 100; ++i) documents += "to be or not to be, that is<|endoftext|>";
  EXPECT_EQ(refusal("unknown pattern", documents), std::nullopt);
}

TEST(EncodeStream, BytesThatAreNotUtf8AreNamedByTheirPlaceInTheWhole) {
  const Tokenizer tokenizer = word_level_tokenizer({"<unk>", "a"}, "<unk>");
  std::vector<int32_t> ids;
  StreamEncoder encoder(tokenizer, {.window = 4});
  encoder.feed("a a a a\xC3", ids);
  encoder.feed("\xA9 a", ids);  // the other half of a character is no fault
  EXPECT_THAT(error_of([&] { encoder.feed(" a\xFF a", ids); }), Refusal(ErrorKind::Data, "byte 13 of"));
  StreamEncoder open(tokenizer);
  open.feed("a\xC3", ids);
  EXPECT_THAT(error_of([&] { open.finish(ids); }), Refusal(ErrorKind::Data, "byte 1 of 2 (0xc3)"));
}

}  // namespace
}  // namespace assay::data
