// Spaces as SentencePiece writes them: "▁" (U+2581) in place of each, one more where the tokenizer puts one before a
// text. Used by SentencePiece BPE and Unigram, which cut words at these marks.
#pragma once

#include <string>
#include <string_view>

#include "assay/data/subword_model.h"

namespace assay::data {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

/// Bytes of the space or mark at `at`, 0 if neither stands there.
inline size_t mark_length(std::string_view text, size_t at) {
  if (text[at] == ' ') return 1;
  return text[at] == kSpaceMark[0] && text.substr(at).starts_with(kSpaceMark) ? kSpaceMark.size() : 0;
}

/// Whether a space is put before a stretch.
bool puts_space(AddedSpace added, StretchPlace place, std::string_view stretch);

/// Where a stretch may be cut into words.
enum class WordCuts {
  None,
  BeforeMarks,  ///< every mark begins a word
  BeforeWords,  ///< marks in a row, and what follows them, are one word
};

/// The end of the word that begins at `begin`.
size_t word_end(std::string_view text, size_t begin, WordCuts cuts);

/// What a token adds to a text: its marks are spaces, a byte token is its byte.
std::string text_of_marked_token(std::string_view token);

}  // namespace assay::data
