#include "assay/data/pretokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "tests/support/errors.h"
#include "tests/support/hostile_text.h"

namespace assay::data {
namespace {

using testing::ElementsAre;

std::vector<std::string> pieces(const std::vector<SplitRule>& rules, std::string_view text) {
  const Pretokenizer pretokenizer(rules, "test");
  std::vector<std::string> result;
  for (const std::string_view piece : pretokenizer.split(text)) result.emplace_back(piece);
  return result;
}

TEST(Pretokenizer, Gpt2LeavesTheLastSpaceOfARunToTheWord) {
  EXPECT_THAT(pieces({split::gpt2()}, "hello  world"), ElementsAre("hello", " ", " world"));
  EXPECT_THAT(pieces({split::gpt2()}, "I'm 1234567!\n\n"), ElementsAre("I", "'m", " 1234567", "!", "\n\n"));
  EXPECT_THAT(pieces({split::gpt2()}, "I'M"), ElementsAre("I", "'", "M"));
}

TEST(Pretokenizer, Llama3CutsNumbersInThrees) {
  EXPECT_THAT(pieces({split::llama3()}, "1234567"), ElementsAre("123", "456", "7"));
  EXPECT_THAT(pieces({split::llama3()}, "I'M so\n\n x"), ElementsAre("I", "'M", " so", "\n\n", " x"));
}

TEST(Pretokenizer, Qwen2CutsEveryDigitAndGpt2None) {
  EXPECT_THAT(pieces({split::qwen2()}, "1234567"), ElementsAre("1", "2", "3", "4", "5", "6", "7"));
  EXPECT_THAT(pieces({split::gpt2()}, "1234567"), ElementsAre("1234567"));
}

TEST(Pretokenizer, WithoutRegardToCaseALongSIsAnS) {
  EXPECT_THAT(pieces({split::llama3()}, "x'\u017fy'S"), ElementsAre("x", "'\u017f", "y", "'S"));
  EXPECT_THAT(pieces({split::gpt2()}, "x'\u017fy"), ElementsAre("x", "'", "\u017fy"));
}

TEST(Pretokenizer, MarksTakeLineEndsAndWordsTheCharacterBeforeThem) {
  EXPECT_THAT(pieces({split::llama3()}, "(foo) !!\r\n\n \tbar  \n  x"),
              ElementsAre("(foo", ")", " !!\r\n\n", " ", "\tbar", "  \n", " ", " x"));
}

std::vector<std::vector<SplitRule>> rules_by_hand() {
  return {{split::gpt2()},
          {split::llama3()},
          {split::qwen2()},
          {split::each_digit(), split::gpt2()},
          {split::each_digit(), split::llama3()},
          {split::each_digit(), split::qwen2()}};
}

/// Texts, of 20,000, that are cut by hand otherwise than by PCRE2, with every rule.
size_t texts_cut_otherwise() {
  size_t otherwise = 0;
  for (const auto& rules : rules_by_hand()) {
    const Pretokenizer by_hand(rules, "test");
    const Pretokenizer by_pattern(rules, "test", Pretokenizer::Matching::ByPattern);
    for (uint64_t seed = 0; seed < 20'000; ++seed) {
      const std::string text = hostile_text(seed, 12);
      if (by_hand.split(text) != by_pattern.split(text)) ++otherwise;
    }
  }
  return otherwise;
}

TEST(Pretokenizer, WhatIsCutByHandIsWhatThePatternCuts) {
  EXPECT_EQ(texts_cut_otherwise(), 0u);
  const ScopedTwin error("data.last_space_kept");
  EXPECT_GT(texts_cut_otherwise(), 1000u);
}

TEST(Pretokenizer, EveryCharacterIsCutByHandAsByThePattern) {
  for (const auto& rules : rules_by_hand()) {
    const Pretokenizer by_hand(rules, "test");
    const Pretokenizer by_pattern(rules, "test", Pretokenizer::Matching::ByPattern);
    std::string text;
    for (uint32_t character = 0; character < 0x20000; ++character) {
      if (character >= 0xD800 && character < 0xE000) continue;
      // The character after a letter, before one, doubled, and between white space.
      text += 'a';
      for (const char* const after : {"b", " ", "", "\n", " 'S "}) {
        append_utf8(text, character);
        text += after;
      }
    }
    EXPECT_TRUE(by_hand.split(text) == by_pattern.split(text)) << rules.back().pattern;
  }
}

/// Whether cutting 3,000 texts before a space that follows no white space leaves their pieces as they were.
bool cuts_before_spaces_change_nothing(const std::vector<SplitRule>& rules) {
  const Pretokenizer pretokenizer(rules, "test");
  const UnicodeClasses& classes = UnicodeClasses::get();
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    const std::string text = hostile_text(seed, 20);
    const auto whole = pieces(rules, text);
    for (size_t at = 1; at < text.size(); ++at) {
      if (text[at] != ' ' || (classes.at(text, character_before(text, at)) & kWhiteSpace) != 0) continue;
      auto parts = pieces(rules, text.substr(0, at));
      for (const auto& piece : pieces(rules, text.substr(at))) parts.push_back(piece);
      if (parts != whole) return false;
    }
  }
  return true;
}

TEST(Pretokenizer, TheKnownRulesMayBeCutBeforeSpacesAndOthersAreNotThoughtTo) {
  auto known = rules_by_hand();
  known.insert(known.end(),
               {{split::runs_of_digits(), split::gpt2()}, {split::at_white_space()}, {split::words_and_marks()}});
  for (const auto& rules : known) {
    EXPECT_TRUE(Pretokenizer(rules, "test").cuts_before_spaces());
    EXPECT_TRUE(cuts_before_spaces_change_nothing(rules)) << rules.back().pattern;
  }
  for (const auto& rules : std::vector<std::vector<SplitRule>>{{}, {{"[^a]+"}}, {split::each_digit()}}) {
    EXPECT_FALSE(Pretokenizer(rules, "test").cuts_before_spaces());
    EXPECT_FALSE(cuts_before_spaces_change_nothing(rules));
  }
}

TEST(Pretokenizer, DigitsAreCutBeforeThePatternSeesThem) {
  const std::vector<SplitRule> smollm{split::each_digit(), split::gpt2()};
  const auto cut = [&] { return pieces(smollm, "a  55 ½"); };
  EXPECT_THAT(cut(), ElementsAre("a", "  ", "5", "5", " ", "½"));
  const ScopedTwin error("data.digits_not_split");
  EXPECT_THAT(cut(), testing::Not(ElementsAre("a", "  ", "5", "5", " ", "½")));
}

TEST(Pretokenizer, WhiteSpaceIsThatOfUnicodeNotOfPcre2) {
  // U+0085 and U+3000 are white space, U+180E (Mongolian vowel separator) is not; PCRE2's own \s holds it.
  EXPECT_THAT(pieces({split::at_white_space()}, "a\u0085b\u3000c\u180Ed"), ElementsAre("a", "b", "c\u180Ed"));
  EXPECT_THAT(pieces({split::words_and_marks()}, "naïve_x, e\u0301!?"), ElementsAre("naïve_x", ",", "e\u0301", "!?"));
}

TEST(Pretokenizer, PiecesOfTheBytePatternsAddUpToTheText) {
  const std::string text = "\t x\r\n\r\n  'll 12ⅻ３ 🦙🦙\u200d— «été»  \n \u00a0";
  for (const auto& rules : {std::vector{split::gpt2()}, std::vector{split::llama3()},
                            std::vector{split::each_digit(), split::gpt2()}, std::vector{split::runs_of_digits()}}) {
    std::string all;
    for (const std::string& piece : pieces(rules, text)) all += piece;
    EXPECT_EQ(all, text);
  }
}

TEST(Pretokenizer, NoTextHasNoPiecesAndNoRuleLeavesTheTextWhole) {
  EXPECT_TRUE(pieces({split::gpt2()}, "").empty());
  EXPECT_THAT(pieces({}, "a b"), ElementsAre("a b"));
}

TEST(Pretokenizer, ABrokenPatternIsRefusedWithItself) {
  EXPECT_THAT(error_of([] { Pretokenizer({{"(a"}}, "x.json"); }), Refusal(ErrorKind::Model, "`(a`"));
}

}  // namespace
}  // namespace assay::data
