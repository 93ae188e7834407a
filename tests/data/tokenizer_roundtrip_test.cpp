// decode(encode(s)) == s, spans that cover the text, and added tokens, on texts made up from a seed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/data/nfc.h"
#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"
#include "tests/support/data.h"
#include "tests/support/errors.h"
#include "tests/support/hostile_text.h"
#include "tests/support/smollm2.h"

namespace assay::data {
namespace {

using testing::ElementsAre;

std::vector<std::string> available_tokenizers() {
  std::vector<std::string> paths;
  for (const std::string& path : {data_path("tokenizers/gpt2"), data_path("models/stories260K"), smollm2_path()}) {
    if (!path.empty()) paths.push_back(path);
  }
  return paths;
}

/// Whether a tokenizer gives 1,000 texts back (their NFC, if it normalises), apart from those with a character that it
/// has no bytes for, and those that begin with a space where it puts one only if there is none.
bool gives_texts_back(const Tokenizer& tokenizer) {
  const TokenizerDefinition& definition = tokenizer.definition();
  const auto unknown = definition.unknown.value_or(-1);
  const bool has_marks =
      definition.kind == TokenizerKind::SentencePieceBpe || definition.kind == TokenizerKind::Unigram;
  const bool loses_space = has_marks && definition.added_space != AddedSpace::EveryStretch;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const std::string text = hostile_text(seed);
    const std::vector<int32_t> ids = tokenizer.encode(text);
    if (std::find(ids.begin(), ids.end(), unknown) != ids.end()) continue;
    if (loses_space && (text.starts_with(' ') || text.find("> ") != std::string::npos)) continue;
    const auto normalized = definition.normalizes_to_nfc ? to_nfc(text) : std::nullopt;
    if (tokenizer.decode(ids) != (normalized ? normalized->text : text)) return false;
  }
  return true;
}

TEST(TokenizerRoundTrip, DecodingGivesEveryTextBack) {
  if (available_tokenizers().empty()) GTEST_SKIP() << no_data("tokenizers");
  for (const std::string& path : available_tokenizers()) EXPECT_TRUE(gives_texts_back(load_tokenizer(path))) << path;
}

TEST(TokenizerRoundTrip, DecodingGivesEveryTextBackWithEveryPreTokenizer) {
  const std::string folder = data_path("tokenizers/gpt2");
  if (folder.empty()) GTEST_SKIP() << no_data("tokenizers/gpt2");
  TokenizerDefinition definition = load_tokenizer(folder).definition();
  for (const auto& rules : std::vector<std::vector<SplitRule>>{
           {split::llama3()}, {split::qwen2()}, {split::each_digit(), split::gpt2()}, {split::runs_of_digits()}, {}}) {
    definition.split_rules = rules;
    for (const bool nfc : {false, true}) {
      definition.normalizes_to_nfc = nfc;
      EXPECT_TRUE(gives_texts_back(Tokenizer(definition))) << (rules.empty() ? "no rule" : rules.front().pattern);
    }
  }
}

TEST(TokenizerRoundTrip, DecodingGivesEveryTextBackWhereverSpacesArePut) {
  const std::string folder = data_path("models/stories260K");
  if (folder.empty()) GTEST_SKIP() << no_data("models/stories260K");
  TokenizerDefinition bpe = load_tokenizer(folder).definition(), unigram = bpe;
  unigram.kind = TokenizerKind::Unigram;
  unigram.merges.clear();
  unigram.falls_back_to_bytes = true;
  unigram.log_probabilities.assign(unigram.vocabulary.size(), -5);
  for (TokenizerDefinition* definition : {&bpe, &unigram}) {
    for (const AddedSpace added :
         {AddedSpace::EveryStretch, AddedSpace::WhereMissing, AddedSpace::FirstStretch, AddedSpace::Never}) {
      definition->added_space = added;
      definition->cuts_words = added == AddedSpace::WhereMissing;
      EXPECT_TRUE(gives_texts_back(Tokenizer(*definition))) << static_cast<int>(added);
      if (added == AddedSpace::Never) continue;
      const ScopedTwin error("data.added_space_stays");
      EXPECT_FALSE(gives_texts_back(Tokenizer(*definition))) << static_cast<int>(added);
    }
  }
}

TEST(TokenizerRoundTrip, SpansCoverTheTextWithoutGapOrOverlap) {
  if (available_tokenizers().empty()) GTEST_SKIP() << no_data("tokenizers");
  for (const std::string& path : available_tokenizers()) {
    const Tokenizer tokenizer = load_tokenizer(path);
    for (uint64_t seed = 0; seed < 300; ++seed) {
      const std::string text = hostile_text(seed);
      int64_t end = 0;
      for (const TokenSpan& token : tokenizer.encode_with_spans(text)) {
        ASSERT_EQ(token.begin, end) << path << ": " << text;
        ASSERT_GE(token.end, token.begin);
        end = token.end;
      }
      ASSERT_EQ(end, static_cast<int64_t>(text.size())) << path << ": " << text;
    }
  }
}

TEST(TokenizerRoundTrip, ASpaceIsLostOnlyWhereEncodingPutOne) {
  const std::string folder = data_path("models/stories260K");
  if (folder.empty()) GTEST_SKIP() << no_data("models/stories260K");
  const Tokenizer tokenizer = load_tokenizer(folder);
  const auto ids = tokenizer.encode("Lily");
  EXPECT_EQ(tokenizer.decode(ids), "Lily");
  EXPECT_EQ(tokenizer.decode(ids, {.is_continuation = true}), " Lily");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a<s>b")), "a<s>b");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a<s>b"), {.keep_special = false}), "ab");
}

/// A byte-level tokenizer over single bytes "a" to "d" with two added tokens, one the beginning of the other.
Tokenizer small_byte_level() {
  TokenizerDefinition definition;
  definition.source = "test";
  definition.vocabulary = {"a", "b", "c", "d", "<", ">", "ab"};
  definition.merges = {{0, 1, 6}};
  definition.split_rules = {split::gpt2()};
  definition.added_tokens = {{7, "<a>", true}, {8, "<a>b", false}};
  return Tokenizer(definition);
}

TEST(AddedTokens, TheLongestThatBeginsAtAPlaceWins) {
  const auto ids = [] { return small_byte_level().encode("ab<a>bc<a>a<"); };
  EXPECT_THAT(ids(), ElementsAre(6, 8, 2, 7, 0, 4));
  const ScopedTwin error("data.added_tokens_shortest_first");
  EXPECT_THAT(ids(), testing::Not(ElementsAre(6, 8, 2, 7, 0, 4)));
}

TEST(AddedTokens, TheyAreWithinTheVocabularySizeAndKnownByTheirText) {
  const Tokenizer tokenizer = small_byte_level();
  EXPECT_EQ(tokenizer.vocabulary_size(), 9);
  EXPECT_EQ(tokenizer.added_token("<a>b"), 8);
  EXPECT_EQ(tokenizer.added_token("<b>"), std::nullopt);
  EXPECT_TRUE(tokenizer.is_special(7));
  EXPECT_FALSE(tokenizer.is_special(8));
  EXPECT_EQ(tokenizer.token_text(8), "<a>b");
}

TEST(ByteLevel, AByteThatTheVocabularyLacksIsTheUnknownTokenOrARefusal) {
  EXPECT_THAT(error_of([] { small_byte_level().encode("ax"); }), Refusal(ErrorKind::Data, "byte 0x78"));
  TokenizerDefinition definition = small_byte_level().definition();
  definition.unknown = 3;
  EXPECT_THAT(Tokenizer(definition).encode("ax"), ElementsAre(0, 3));
}

TEST(ByteLevel, IgnoringMergesTakesAPieceOfTheVocabularyWhole) {
  TokenizerDefinition definition = small_byte_level().definition();
  definition.vocabulary.push_back("ddd");  // no merge leads to it
  definition.added_tokens.clear();
  EXPECT_THAT(Tokenizer(definition).encode("ddd"), ElementsAre(3, 3, 3));
  definition.ignores_merges = true;
  EXPECT_THAT(Tokenizer(definition).encode("ddd"), ElementsAre(7));
}

TEST(Tokenizer, TextThatIsNotUtf8IsRefusedByItsByte) {
  EXPECT_THAT(error_of([] { small_byte_level().encode("ab\xff"); }), Refusal(ErrorKind::Data, "byte 2 of 3 (0xff)"));
}

TEST(Tokenizer, AnIdBeyondTheVocabularyIsRefused) {
  const std::vector<int32_t> ids{9};
  EXPECT_THAT(error_of([&] { small_byte_level().decode(ids); }), Refusal(ErrorKind::Data, "from 0 to 8, but one is 9"));
  EXPECT_THAT(error_of([] { small_byte_level().token_text(-1); }), Refusal(ErrorKind::Data, "but one is -1"));
}

TEST(Tokenizer, OneThatDoesNotFitTheModelIsRefused) {
  require_tokenizer_fits(small_byte_level(), 9);
  EXPECT_THAT(error_of([] { require_tokenizer_fits(small_byte_level(), 8); }),
              Refusal(ErrorKind::Model, "below the model's vocabulary, 8, but it has 9 ids"));
}

TEST(WordLevel, WordsAreTokensAndTheRestIsUnknown) {
  const Tokenizer tokenizer = word_level_tokenizer({"<unk>", "lives", "in", "Oslo"}, "<unk>");
  const auto ids = tokenizer.encode(" Ann lives\n in  Oslo ");
  EXPECT_THAT(ids, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(tokenizer.decode(ids), "<unk> lives in Oslo");
  EXPECT_EQ(tokenizer.token_text(3), " Oslo");
  const std::vector<TokenSpan> spans = tokenizer.encode_with_spans(" Ann lives");
  EXPECT_EQ(spans[1].begin, 5);
  EXPECT_EQ(spans[1].end, 10);
}

}  // namespace
}  // namespace assay::data
