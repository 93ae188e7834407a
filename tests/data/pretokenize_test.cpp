#include "assay/data/pretokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "tests/support/errors.h"

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
