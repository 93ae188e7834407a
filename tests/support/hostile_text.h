// Texts that are hostile to tokenizers, made up from a seed: letters and marks of many scripts, white space of all
// kinds, digits, contractions, combining characters, whole added tokens, and any other character.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "assay/core/philox.h"
#include "assay/data/unicode_classes.h"

namespace assay {

inline const std::vector<std::string>& hostile_snippets() {
  static const std::vector<std::string> snippets{" ",
                                                 "  ",
                                                 "   ",
                                                 "\n",
                                                 "\t",
                                                 "\r\n",
                                                 "\n\n ",
                                                 "\u00a0",
                                                 "\u3000",
                                                 "\u2028",
                                                 "\u0085",
                                                 "'s",
                                                 "'LL",
                                                 "'\u017f",
                                                 "'re",
                                                 "'",
                                                 " the",
                                                 "the",
                                                 "and",
                                                 "27",
                                                 "\u00bd",
                                                 "\u2168",
                                                 "1234567",
                                                 "<s>",
                                                 "!",
                                                 "!!\n",
                                                 "(foo",
                                                 "_",
                                                 "\u2026",
                                                 "e\u0301",
                                                 "\u00e9",
                                                 "\u212b",
                                                 "\u0344",
                                                 "\u0301",
                                                 "\u0327",
                                                 "a\u0323\u0307",
                                                 "\u1100\u1161\u11a8",
                                                 "\uac00\u11a8",
                                                 "\u0915\u093c",
                                                 "\U0001f999",
                                                 "\u200d",
                                                 "\ufb06",
                                                 "\u212a",
                                                 "<|im_end|>",
                                                 "<|endoftext|>",
                                                 "don't",
                                                 "hello  world"};
  return snippets;
}

/// Up to `most` pieces: three of four from `snippets`, the others single characters. "▁" (U+2581), which SentencePiece
/// reads as a space, is none of them.
inline std::string hostile_text(uint64_t seed, uint64_t most = 40,
                                const std::vector<std::string>& snippets = hostile_snippets()) {
  std::string text;
  const uint64_t length = random_below(most + 1, seed, 0, 0);
  for (uint64_t i = 1; i <= length; ++i) {
    if (random_below(4, seed, 1, i) > 0) {
      text += snippets[random_below(snippets.size(), seed, 2, i)];
      continue;
    }
    const uint64_t below = i % 3 == 0 ? 0x250 : i % 3 == 1 ? 0x3000 : 0x110000;
    const auto character = static_cast<uint32_t>(random_below(below, seed, 3, i));
    const bool is_surrogate = character >= 0xD800 && character < 0xE000;
    data::append_utf8(text, is_surrogate || character == 0x2581 ? 'x' : character);
  }
  return text;
}

}  // namespace assay
