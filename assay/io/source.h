// Where bytes came from, for messages: every reader of this area refuses a fault through here, so that every refusal
// has the same shape, `reading "config.json": RULE, but FOUND; NEXT`.
#pragma once

#include <string>
#include <string_view>

#include "assay/core/error.h"

namespace assay::io {

/// Between quotes, on one line: a name from a file may hold anything, and a terminal obeys control characters.
std::string quote(std::string_view text);

/// A number in its shortest exact form, with a point in every locale.
std::string shortest(double value);

struct Source {
  std::string name;
  ErrorKind kind = ErrorKind::Data;  ///< whose mistake a fault in it is
  size_t first_line = 1;             ///< of a text within its file, where lines are counted
  std::string advice = {};           ///< what to do about a fault; empty: what its kind suggests

  /// Throws the sentence; where it says nothing after a semicolon, the advice is added.
  [[noreturn]] void refuse(const std::string& sentence) const;
};

/// A refusal without what to do about it: for who mends the fault himself.
std::string without_advice(std::string_view message);

}  // namespace assay::io
