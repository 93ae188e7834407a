// Where bytes came from, for messages: every reader of this area refuses a fault through here, so that every refusal
// has the same shape, `reading "config.json": RULE, but FOUND; NEXT`.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "assay/core/error.h"

namespace assay::io {

/// Between quotes, on one line: a name from a file may hold anything, and a terminal obeys control characters.
inline std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr std::string_view kHex = "0123456789abcdef";
    if (byte >= 0x20 && byte != 0x7F)
      quoted += c;
    else
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
  return quoted + "\"";
}

/// A number in its shortest exact form, with a point in every locale.
inline std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

struct Source {
  std::string name;
  ErrorKind kind = ErrorKind::Data;  ///< whose mistake a fault in it is
  size_t first_line = 1;             ///< of a text within its file, where lines are counted

  [[noreturn]] void refuse(const std::string& sentence) const {
    throw Error(kind, "reading " + quote(name) + ": " + sentence);
  }
};

}  // namespace assay::io
