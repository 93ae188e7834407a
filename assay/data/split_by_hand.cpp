#include "assay/data/split_by_hand.h"

#include "assay/core/twin.h"

namespace assay::data {
namespace {

constexpr uint8_t kLetterNumberOrSpace = kLetter | kNumber | kWhiteSpace;

/// The end of the run, from `at`, of characters that have one of the classes `wanted`; `at` itself if there is none.
size_t run_end(std::string_view text, size_t at, uint8_t wanted, const UnicodeClasses& classes) {
  while (at < text.size() && (classes.at(text, at) & wanted) != 0) at += utf8_length(text[at]);
  return at;
}

/// The same for characters that are neither letters nor numbers nor white space.
size_t marks_end(std::string_view text, size_t at, const UnicodeClasses& classes) {
  while (at < text.size() && (classes.at(text, at) & kLetterNumberOrSpace) == 0) at += utf8_length(text[at]);
  return at;
}

/// `\s+(?!\S)|\s+`: a run of white space leaves its last character to the word that follows, unless it is all it has.
size_t white_space_piece_end(std::string_view text, size_t begin, const UnicodeClasses& classes) {
  const size_t end = run_end(text, begin, kWhiteSpace, classes);
  if (end == text.size() || ASSAY_TWIN("data.last_space_kept")) return end;
  const size_t last = character_before(text, end);
  return last > begin ? last : end;
}

/// The end of 's, 't, 're, 've, 'm, 'll or 'd at `begin`, where an apostrophe stands; 0 if there is none.
size_t contraction_end(std::string_view text, size_t begin, bool any_case) {
  const auto letter = [&](size_t i) {
    const char c = i < text.size() ? text[i] : '\0';
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const char first = letter(begin + 1), second = letter(begin + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return begin + 2;
  const bool is_pair = ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l');
  if (is_pair) return begin + 3;
  // Without regard to case an s is also the long one, U+017F.
  const bool is_long_s = any_case && text.substr(begin + 1).starts_with("\xC5\xBF");
  return is_long_s ? begin + 3 : 0;
}

bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}

}  // namespace

size_t gpt2_piece_end(std::string_view text, size_t begin, const UnicodeClasses& classes) {
  if (text[begin] == '\'') {
    if (const size_t end = contraction_end(text, begin, false); end > 0) return end;
  }
  const size_t first = begin + (text[begin] == ' ' ? 1 : 0);
  const uint8_t first_class = first < text.size() ? classes.at(text, first) : uint8_t{kWhiteSpace};
  if ((first_class & kLetter) != 0) return run_end(text, first, kLetter, classes);
  if ((first_class & kNumber) != 0) return run_end(text, first, kNumber, classes);
  if ((first_class & kWhiteSpace) == 0) return marks_end(text, first, classes);
  return white_space_piece_end(text, begin, classes);
}

size_t llama3_piece_end(std::string_view text, size_t begin, size_t digits, const UnicodeClasses& classes) {
  if (text[begin] == '\'') {
    if (const size_t end = contraction_end(text, begin, true); end > 0) return end;
  }
  const uint8_t first_class = classes.at(text, begin);
  if ((first_class & kLetter) != 0) return run_end(text, begin, kLetter, classes);
  if ((first_class & kNumber) != 0) {
    size_t end = begin;
    for (size_t i = 0; i < digits && end < text.size() && (classes.at(text, end) & kNumber) != 0; ++i) {
      end += utf8_length(text[end]);
    }
    return end;
  }
  // One character that is neither letter nor number nor line end may stand before a word.
  const size_t second = begin + utf8_length(text[begin]);
  const uint8_t second_class = second < text.size() ? classes.at(text, second) : uint8_t{kWhiteSpace};
  if (!is_line_end(text[begin]) && (second_class & kLetter) != 0) return run_end(text, second, kLetter, classes);

  const bool is_mark = (first_class & kWhiteSpace) == 0;
  if (is_mark || (text[begin] == ' ' && (second_class & kLetterNumberOrSpace) == 0)) {
    size_t end = marks_end(text, is_mark ? begin : second, classes);
    while (end < text.size() && is_line_end(text[end])) ++end;
    return end;
  }
  // White space up to the last line end in it, or as with GPT-2 where it has none.
  const size_t end = run_end(text, begin, kWhiteSpace, classes);
  for (size_t at = end; at > begin; --at) {
    if (is_line_end(text[at - 1])) return at;
  }
  return white_space_piece_end(text, begin, classes);
}

size_t digit_or_rest_end(std::string_view text, size_t begin, const UnicodeClasses& classes) {
  size_t end = begin;
  while (end < text.size() && (classes.at(text, end) & kNumber) == 0) end += utf8_length(text[end]);
  return end > begin ? end : begin + utf8_length(text[begin]);
}

}  // namespace assay::data
