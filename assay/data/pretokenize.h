// Cuts a text into the pieces that a tokenizer treats one by one. Rules apply in order, each within the pieces of the
// one before it, so that a look-ahead never sees past a cut: SmolLM2 cuts every digit out first and then applies
// GPT-2's pattern, which is why "a  5" keeps both its spaces in one piece.
//
// The patterns of the common families are matched by hand (split_by_hand.h), any other by PCRE2, which takes about ten
// times as long.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "assay/data/pcre2_pattern.h"
#include "assay/data/split_by_hand.h"

namespace assay::data {

/// Matches become pieces of their own; what lies between them is kept as pieces too, or dropped.
struct SplitRule {
  std::string pattern;
  bool keeps_gaps = true;
  bool operator==(const SplitRule&) const = default;
};

/// The rules that Assay knows by name.
namespace split {
const SplitRule& gpt2();        ///< contractions, words, numbers, marks with the space before them; white space
const SplitRule& llama3();      ///< numbers in groups of three, marks with the line ends after them
const SplitRule& qwen2();       ///< the same with single digits
const SplitRule& each_digit();  ///< every numeric character by itself
const SplitRule& runs_of_digits();
const SplitRule& at_white_space();   ///< pieces are what white space separates
const SplitRule& words_and_marks();  ///< pieces are runs of word characters and runs of other marks
}  // namespace split

class Pretokenizer {
 public:
  enum class Matching { ByHandWhereKnown, ByPattern };

  /// Throws Error(Model) if a pattern is no regular expression.
  Pretokenizer(const std::vector<SplitRule>& rules, const std::string& source,
               Matching matching = Matching::ByHandWhereKnown);

  /// Calls take(piece) with views into `text`, which must be UTF-8, in order and never empty. Without rules: the text
  /// itself.
  template <typename Take>
  void for_each_piece(std::string_view text, Take&& take) const {
    if (last_ == ByHand::None) {
      for (const std::string_view piece : split(text)) take(piece);
      return;
    }
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = cuts_digits_first_ ? digit_or_rest_end(text, begin, classes_) : text.size();
      const std::string_view part = text.substr(0, end);
      while (begin < end) {
        const size_t piece_end = end_by_hand(part, begin);
        take(part.substr(begin, piece_end - begin));
        begin = piece_end;
      }
    }
  }

  /// The same pieces in a list.
  std::vector<std::string_view> split(std::string_view text) const;

  /// Whether, wherever a space (U+0020) follows what is no white space, a piece ends between them in every text, and
  /// the pieces before do not depend on what follows nor those after on what went before.
  bool cuts_before_spaces() const { return cuts_before_spaces_; }

 private:
  enum class ByHand { None, Gpt2, Llama3, Qwen2 };
  struct Pattern {
    Pcre2Pattern matcher;
    bool keeps_gaps;
  };

  size_t end_by_hand(std::string_view text, size_t begin) const {
    if (last_ == ByHand::Gpt2) return gpt2_piece_end(text, begin, classes_);
    return llama3_piece_end(text, begin, last_ == ByHand::Llama3 ? 3 : 1, classes_);
  }

  const UnicodeClasses& classes_;
  ByHand last_ = ByHand::None;
  bool cuts_digits_first_ = false;
  bool cuts_before_spaces_ = true;
  std::vector<Pattern> patterns_;  // where not by hand
};

}  // namespace assay::data
