#include "assay/data/pretokenize.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <utility>

#include "assay/core/error.h"
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

namespace {

constexpr std::string_view kWordCharacters = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control})";

/// Spells \s, \S and \w by Unicode properties, inside brackets and outside.
std::string with_unicode_classes(std::string_view pattern) {
  std::string result;
  bool in_brackets = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '\\' || i + 1 == pattern.size()) {
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      result += c;
      continue;
    }
    switch (const char escaped = pattern[++i]; escaped) {
      case 's': result += R"(\p{White_Space})"; break;
      case 'S': result += R"(\P{White_Space})"; break;
      case 'w': result += in_brackets ? std::string(kWordCharacters) : fmt::format("[{}]", kWordCharacters); break;
      default: (result += c) += escaped;
    }
  }
  return result;
}

struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

class Pretokenizer::Pattern {
 public:
  Pattern(const SplitRule& rule, const std::string& source) : keeps_gaps_(rule.keeps_gaps) {
    const std::string spelling = with_unicode_classes(rule.pattern);
    int code = 0;
    PCRE2_SIZE offset = 0;
    compiled_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelling.data()), spelling.size(), PCRE2_UTF | PCRE2_UCP,
                                  &code, &offset, nullptr));
    if (compiled_ == nullptr) {
      throw Error(
          ErrorKind::Model,
          fmt::format("reading \"{}\": a pre-tokenizer's pattern must be a regular expression, but `{}` is not: "
                      "{}; take the tokenizer files from the model's own repository",
                      source, rule.pattern, pcre2_message(code)));
    }
    pcre2_jit_compile(compiled_.get(), PCRE2_JIT_COMPLETE);  // where the processor has no JIT, matching interprets
  }

  void split(std::string_view text, std::vector<std::string_view>& pieces) const {
    const std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    size_t done = 0, from = 0;
    while (from < text.size()) {
      const int found = pcre2_match(compiled_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                    PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match.get(), nullptr);
      if (found == PCRE2_ERROR_NOMATCH) break;
      if (found < 0) {
        throw Error(ErrorKind::Data,
                    fmt::format("tokenizing a text of {} bytes: the pre-tokenizer's pattern must match within PCRE2's "
                                "limits, but it stopped at byte {}: {}; split the text into shorter documents",
                                text.size(), from, pcre2_message(found)));
      }
      if (keeps_gaps_ && bounds[0] > done) pieces.push_back(text.substr(done, bounds[0] - done));
      pieces.push_back(text.substr(bounds[0], bounds[1] - bounds[0]));
      done = from = bounds[1];
    }
    if (keeps_gaps_ && done < text.size()) pieces.push_back(text.substr(done));
  }

 private:
  struct FreeCode {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  };
  std::unique_ptr<pcre2_code, FreeCode> compiled_;
  bool keeps_gaps_;
};

Pretokenizer::Pretokenizer(const std::vector<SplitRule>& rules, const std::string& source) {
  for (const SplitRule& rule : rules) {
    if (ASSAY_TWIN("data.digits_not_split") && rule == split::each_digit()) continue;
    patterns_.push_back(std::make_unique<Pattern>(rule, source));
  }
}

Pretokenizer::~Pretokenizer() = default;
Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;

std::vector<std::string_view> Pretokenizer::split(std::string_view text) const {
  std::vector<std::string_view> pieces;
  if (!text.empty()) pieces.push_back(text);
  for (const auto& pattern : patterns_) {
    std::vector<std::string_view> finer;
    finer.reserve(text.size() / 4);
    for (const std::string_view piece : pieces) pattern->split(piece, finer);
    pieces = std::move(finer);
  }
  return pieces;
}

}  // namespace assay::data
