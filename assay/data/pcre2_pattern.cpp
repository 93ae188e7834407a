#include "assay/data/pcre2_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include "assay/core/error.h"

namespace assay::data {
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

std::string pcre2_message(int code) {
  PCRE2_UCHAR buffer[256] = {};
  pcre2_get_error_message(code, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

/// Where a match is written: one a thread, since a pattern may be used by many at once.
pcre2_match_data* match_data_of_this_thread() {
  struct Free {
    void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
  };
  thread_local const std::unique_ptr<pcre2_match_data, Free> match(pcre2_match_data_create(1, nullptr));
  return match.get();
}

}  // namespace

struct Pcre2Pattern::Code {
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  };
  std::unique_ptr<pcre2_code, Free> compiled;
};

Pcre2Pattern::Pcre2Pattern(const std::string& pattern, const std::string& source) : code_(std::make_unique<Code>()) {
  const std::string spelling = with_unicode_classes(pattern);
  int code = 0;
  PCRE2_SIZE offset = 0;
  code_->compiled.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(spelling.data()), spelling.size(),
                                      PCRE2_UTF | PCRE2_UCP, &code, &offset, nullptr));
  if (code_->compiled == nullptr) {
    throw Error(ErrorKind::Model,
                fmt::format("reading \"{}\": a pre-tokenizer's pattern must be a regular expression, but `{}` is not: "
                            "{}; take the tokenizer files from the model's own repository",
                            source, pattern, pcre2_message(code)));
  }
  pcre2_jit_compile(code_->compiled.get(), PCRE2_JIT_COMPLETE);  // where the processor has no JIT, matching interprets
}

Pcre2Pattern::~Pcre2Pattern() = default;
Pcre2Pattern::Pcre2Pattern(Pcre2Pattern&&) noexcept = default;

Pcre2Pattern::Match Pcre2Pattern::find(std::string_view text, size_t from) const {
  pcre2_match_data* const match = match_data_of_this_thread();
  const int found = pcre2_match(code_->compiled.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                                PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, match, nullptr);
  if (found == PCRE2_ERROR_NOMATCH) return {};
  if (found < 0) {
    throw Error(ErrorKind::Data,
                fmt::format("tokenizing a text of {} bytes: the pre-tokenizer's pattern must match within PCRE2's "
                            "limits, but it stopped at byte {}: {}; split the text into shorter documents",
                            text.size(), from, pcre2_message(found)));
  }
  const PCRE2_SIZE* const bounds = pcre2_get_ovector_pointer(match);
  return {bounds[0], bounds[1]};
}

}  // namespace assay::data
