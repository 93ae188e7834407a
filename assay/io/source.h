// Where bytes came from, for messages: every reader of this area refuses a fault through here, so that every refusal
// has the same shape, `reading "config.json": RULE, but FOUND; NEXT`.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "assay/core/error.h"

namespace assay::io {

inline std::string quote(std::string_view text) {
  return "\"" + std::string(text) + "\"";
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
