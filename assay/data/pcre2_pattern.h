// A regular expression over Unicode text, by PCRE2 and where the processor allows as machine code. `\s` means
// White_Space and `\w` the word characters of Unicode's UTS #18, as in the tokenizers' reference implementation;
// PCRE2's own differ in a handful of characters.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace assay::data {

class Pcre2Pattern {
 public:
  /// Throws Error(Model) naming `source` if it is no regular expression.
  Pcre2Pattern(const std::string& pattern, const std::string& source);
  ~Pcre2Pattern();
  Pcre2Pattern(Pcre2Pattern&&) noexcept;

  struct Match {
    size_t begin = 0;
    size_t end = 0;  ///< 0: none
  };
  /// The first match at or after `from` that is not empty, in valid UTF-8. Throws Error(Data) at PCRE2's limits.
  Match find(std::string_view text, size_t from) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace assay::data
