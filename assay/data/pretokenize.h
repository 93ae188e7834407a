// Cuts a text into the pieces that a tokenizer treats one by one. Rules apply in order, each within the pieces of the
// one before it, so that a look-ahead never sees past a cut: SmolLM2 cuts every digit out first and then applies
// GPT-2's pattern, which is why "a  5" keeps both its spaces in one piece.
//
// Patterns are PCRE2 over Unicode categories, compiled to machine code. `\s` means White_Space and `\w` the word
// characters of Unicode's UTS #18, as in the reference implementation; PCRE2's own differ in a handful of characters.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

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
const SplitRule& each_digit();  ///< every numeric character by itself
const SplitRule& runs_of_digits();
const SplitRule& at_white_space();   ///< pieces are what white space separates
const SplitRule& words_and_marks();  ///< pieces are runs of word characters and runs of other marks
}  // namespace split

class Pretokenizer {
 public:
  /// Throws Error(Model) if a pattern is no regular expression, or one that can match nothing.
  Pretokenizer(const std::vector<SplitRule>& rules, const std::string& source);
  ~Pretokenizer();
  Pretokenizer(Pretokenizer&&) noexcept;

  /// Views into `text`, which must be UTF-8, in order and never empty. Without rules: the text itself.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  class Pattern;
  std::vector<std::unique_ptr<Pattern>> patterns_;
};

}  // namespace assay::data
