// NFC against the examples of UAX #15, against Hangul's own arithmetic, and by what must hold for every text.
#include "assay/data/nfc.h"

#include <gtest/gtest.h>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/data/unicode_classes.h"
#include "tests/support/hostile_text.h"

namespace assay::data {
namespace {

std::string nfc(const std::string& text) {
  const auto normalized = to_nfc(text);
  return normalized ? normalized->text : text;
}

struct Example {
  std::string text, nfc;
};

/// Decompositions of UAX #15 and of the Unicode Character Database: composition, singletons, exclusions, order of
/// marks, marks that a mark of equal class keeps from their letter, and parts of Hangul syllables.
const std::vector<Example>& examples() {
  static const std::vector<Example> list{
      {"e\u0301", "\u00e9"},
      {"\u1e0a\u0323", "\u1e0c\u0307"},  // dot above and dot below change places
      {"d\u0323\u0307", "\u1e0d\u0307"},
      {"d\u0307\u0323", "\u1e0d\u0307"},
      {"a\u0315\u0300\u05ae\u0301b", "\u00e0\u05ae\u0301\u0315b"},
      {"\u00c5", "\u00c5"},
      {"A\u030a", "\u00c5"},
      {"\u212b", "\u00c5"},  // the sign of the ångström is a letter
      {"\u2126", "\u03a9"},
      {"\u212a", "K"},
      {"\u0958", "\u0915\u093c"},  // excluded from composition
      {"\ufb1d", "\u05d9\u05b4"},
      {"\u0344", "\u0308\u0301"},  // begins with a mark
      {"\u0f73", "\u0f71\u0f72"},
      {"\uf900", "\u8c48"},  // a compatibility ideograph
      {"\U0002f800", "\u4e3d"},
      {"\U0001d15e", "\U0001d157\U0001d165"},
      {"\u1100\u1161\u11a8", "\uac01"},
      {"\uac00\u11a8", "\uac01"},
      {"\u1100\u1161\u11a7", "\uac00\u11a7"},  // U+11A7 is one before the first final consonant
      {"c\u0327\u0301", "\u1e09"},
      {"\u00e7\u0301", "\u1e09"},
      {"a\u0305\u0301", "a\u0305\u0301"},                // the first mark keeps the second from the letter
      {"\u09c7\u09be", "\u09cb"},                        // the second part is a letter of its own
      {"\ufb01 \u00bd \uff21", "\ufb01 \u00bd \uff21"},  // compatibility characters stay
      {"plain text, na\u00efve", "plain text, na\u00efve"},
      {"", ""},
  };
  return list;
}

size_t wrong_examples() {
  size_t wrong = 0;
  for (const Example& example : examples()) wrong += nfc(example.text) == example.nfc ? 0 : 1;
  return wrong;
}

TEST(Nfc, GivesTheExamplesOfTheStandard) {
  for (const Example& example : examples()) EXPECT_EQ(nfc(example.text), example.nfc) << example.text;
  const auto wrong_under = [](const char* twin) {
    const ScopedTwin error(twin);
    return wrong_examples();
  };
  EXPECT_GT(wrong_under("data.nfc_skipped"), 10u);
  EXPECT_GT(wrong_under("data.marks_not_ordered"), 1u);
}

/// Unicode, chapter 3.12: S = 0xAC00 + (L · 21 + V) · 28 + T.
TEST(Nfc, HangulSyllablesFollowTheirArithmetic) {
  for (uint32_t leading = 0; leading < 19; ++leading) {
    for (uint32_t vowel = 0; vowel < 21; ++vowel) {
      for (uint32_t trailing = 0; trailing < 28; ++trailing) {
        std::string parts, syllable;
        append_utf8(parts, 0x1100 + leading);
        append_utf8(parts, 0x1161 + vowel);
        if (trailing > 0) append_utf8(parts, 0x11A7 + trailing);
        append_utf8(syllable, 0xAC00 + (leading * 21 + vowel) * 28 + trailing);
        ASSERT_EQ(nfc(parts), syllable);
        ASSERT_EQ(nfc(syllable), syllable);
      }
    }
  }
}

TEST(Nfc, IsItsOwnNfcAndCutsAtBoundariesChangeNothing) {
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    const std::string text = hostile_text(seed);
    const std::string normalized = nfc(text);
    ASSERT_EQ(nfc(normalized), normalized);
    const size_t boundary = last_nfc_boundary(text);
    ASSERT_EQ(nfc(text.substr(0, boundary)) + nfc(text.substr(boundary)), normalized);
    std::string with_space = text + " " + text;  // nothing is joined to a space from before
    ASSERT_EQ(nfc(with_space), normalized + nfc(" " + text));
  }
}

TEST(Nfc, PlacesGoBetweenTheTextsInOrder) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::string text = hostile_text(seed);
    const auto normalized = to_nfc(text);
    if (!normalized) continue;
    size_t before = 0;
    for (size_t place = 0; place <= normalized->text.size(); ++place) {
      const size_t original = normalized->original_place(place);
      ASSERT_GE(original, before);
      before = original;
    }
    ASSERT_EQ(normalized->original_place(0), 0u);
    ASSERT_EQ(normalized->original_place(normalized->text.size()), text.size());
    ASSERT_EQ(normalized->normalized_place(text.size()), normalized->text.size());
    // Outside of what has changed, the bytes are the same.
    for (const auto& change : normalized->changes) {
      ASSERT_EQ(normalized->original_place(change.normalized_begin), change.begin);
      ASSERT_EQ(normalized->original_place(change.normalized_end), change.end);
      ASSERT_EQ(normalized->normalized_place(change.begin), change.normalized_begin);
      ASSERT_EQ(normalized->normalized_place(change.end), change.normalized_end);
    }
  }
}

TEST(Nfc, AMillionMarksOnOneLetterTakeNoQuadraticTime) {
  std::string text = "a";
  for (size_t i = 0; i < 500'000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0323";  // ordering by exchanges: 10^11 steps
  const std::string normalized = nfc(text);
  EXPECT_TRUE(normalized.starts_with("\u1ea1\u0323"));  // ạ, then the other dots below, then the acutes
  EXPECT_TRUE(normalized.ends_with("\u0301"));
}

}  // namespace
}  // namespace assay::data
