// The tables of kinds of characters against PCRE2 itself, for every character that there can be.
#include "assay/data/unicode_classes.h"

#include <gtest/gtest.h>

#include "assay/data/pcre2_pattern.h"

namespace assay::data {
namespace {

/// Characters, of all 1,112,064, whose class in the table is not what the pattern says.
size_t wrong_characters(const std::string& pattern, CharacterClass flag) {
  const Pcre2Pattern matcher("\\A" + pattern, "test");
  const UnicodeClasses& classes = UnicodeClasses::get();
  size_t wrong = 0;
  std::string text;
  for (uint32_t character = 0; character < 0x110000; ++character) {
    if (character >= 0xD800 && character < 0xE000) continue;
    text.clear();
    append_utf8(text, character);
    const bool in_table = (classes.of(character) & flag) != 0;
    if (in_table != (matcher.find(text, 0).end > 0)) ++wrong;
  }
  return wrong;
}

TEST(UnicodeClasses, EveryCharacterIsWhatPcre2SaysThatItIs) {
  EXPECT_EQ(wrong_characters(R"(\p{L})", kLetter), 0u);
  EXPECT_EQ(wrong_characters(R"(\p{N})", kNumber), 0u);
  EXPECT_EQ(wrong_characters(R"(\s)", kWhiteSpace), 0u);
  EXPECT_EQ(wrong_characters(R"(\w)", kWordCharacter), 0u);
  EXPECT_GT(wrong_characters(R"(\p{Lu})", kLetter), 100'000u);  // the measure sees a difference
}

TEST(UnicodeClasses, KnownCharactersHaveTheirClasses) {
  const UnicodeClasses& classes = UnicodeClasses::get();
  EXPECT_EQ(classes.of('a'), kLetter | kWordCharacter);
  EXPECT_EQ(classes.of('7'), kNumber | kWordCharacter);
  EXPECT_EQ(classes.of(0xBD), kNumber);  // ½ is a number, but no word character
  EXPECT_EQ(classes.of('_'), kWordCharacter);
  EXPECT_EQ(classes.of(0x3000), kWhiteSpace);
  EXPECT_EQ(classes.of(0x180E), 0);  // the Mongolian vowel separator, white space until Unicode 6.3
  EXPECT_EQ(classes.of(0x10FFFF), 0);
}

TEST(UnicodeClasses, CharactersAreReadForwardsAndBackwards) {
  const std::string text = "a\u00e9\u3000\U0001f999";
  EXPECT_EQ(character_at(text, 1), 0xE9u);
  EXPECT_EQ(character_at(text, 3), 0x3000u);
  EXPECT_EQ(character_at(text, 6), 0x1F999u);
  EXPECT_EQ(character_before(text, 10), 6u);
  EXPECT_EQ(character_before(text, 6), 3u);
  EXPECT_EQ(character_before(text, 1), 0u);
  const UnicodeClasses& classes = UnicodeClasses::get();
  EXPECT_EQ(classes.white_space_begin("x \t\u3000", 6), 1u);
  EXPECT_EQ(classes.white_space_end(" \t\u3000x", 0), 5u);
  EXPECT_EQ(classes.white_space_begin("x", 1), 1u);
  EXPECT_EQ(classes.white_space_end("", 0), 0u);
}

}  // namespace
}  // namespace assay::data
