#include "assay/data/pretokenize.h"

#include <algorithm>
#include <utility>

#include "assay/core/twin.h"

namespace assay::data {

namespace split {

const SplitRule& gpt2() {
  static const SplitRule rule{R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"};
  return rule;
}

const SplitRule& llama3() {
  static const SplitRule rule{
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
      R"(\s*[\r\n]+|\s+(?!\S)|\s+)"};
  return rule;
}

const SplitRule& qwen2() {
  static const SplitRule rule{
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
      R"(\s*[\r\n]+|\s+(?!\S)|\s+)"};
  return rule;
}

const SplitRule& each_digit() {
  static const SplitRule rule{R"(\p{N})"};
  return rule;
}

const SplitRule& runs_of_digits() {
  static const SplitRule rule{R"(\p{N}+)"};
  return rule;
}

const SplitRule& at_white_space() {
  static const SplitRule rule{R"(\S+)", false};
  return rule;
}

const SplitRule& words_and_marks() {
  static const SplitRule rule{R"(\w+|[^\w\s]+)", false};
  return rule;
}

}  // namespace split

Pretokenizer::Pretokenizer(const std::vector<SplitRule>& rules, const std::string& source, Matching matching)
    : classes_(UnicodeClasses::get()) {
  const auto is_known = [](const SplitRule& rule) {
    return rule == split::gpt2() || rule == split::llama3() || rule == split::qwen2() || rule == split::each_digit() ||
           rule == split::runs_of_digits() || rule == split::at_white_space() || rule == split::words_and_marks();
  };
  cuts_before_spaces_ = std::all_of(rules.begin(), rules.end(), is_known) &&
                        std::any_of(rules.begin(), rules.end(), [](const SplitRule& rule) {
                          return rule != split::each_digit() && rule != split::runs_of_digits();
                        });
  const bool digits_count = !ASSAY_TWIN("data.digits_not_split");
  const bool digits_first = rules.size() == 2 && rules.front() == split::each_digit();
  if (matching == Matching::ByHandWhereKnown && (rules.size() == 1 || digits_first)) {
    const SplitRule& last = rules.back();
    last_ = last == split::gpt2()     ? ByHand::Gpt2
            : last == split::llama3() ? ByHand::Llama3
            : last == split::qwen2()  ? ByHand::Qwen2
                                      : ByHand::None;
    cuts_digits_first_ = digits_first && digits_count;
  }
  if (last_ != ByHand::None) return;
  for (const SplitRule& rule : rules) {
    if (rule == split::each_digit() && !digits_count) continue;
    patterns_.push_back({Pcre2Pattern(rule.pattern, source), rule.keeps_gaps});
  }
}

std::vector<std::string_view> Pretokenizer::split(std::string_view text) const {
  std::vector<std::string_view> pieces;
  if (last_ != ByHand::None) {
    for_each_piece(text, [&](std::string_view piece) { pieces.push_back(piece); });
    return pieces;
  }
  if (!text.empty()) pieces.push_back(text);
  for (const Pattern& pattern : patterns_) {
    std::vector<std::string_view> finer;
    finer.reserve(text.size() / 4);
    for (const std::string_view piece : pieces) {
      size_t done = 0;
      for (auto match = pattern.matcher.find(piece, 0); match.end > 0; match = pattern.matcher.find(piece, done)) {
        if (pattern.keeps_gaps && match.begin > done) finer.push_back(piece.substr(done, match.begin - done));
        finer.push_back(piece.substr(match.begin, match.end - match.begin));
        done = match.end;
        if (done == piece.size()) break;
      }
      if (pattern.keeps_gaps && done < piece.size()) finer.push_back(piece.substr(done));
    }
    pieces = std::move(finer);
  }
  return pieces;
}

}  // namespace assay::data
