// JSONL: one JSON object a line, from a plain or Zstandard file; blank lines are none. The one way in which this
// project reads such files, so that every fault in them is refused alike: by file, line and column where a line is no
// JSON, by file, line and key where an object is not what its reader needs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "assay/io/json.h"
#include "assay/io/lines.h"

namespace assay::io {

/// The object of one line. `shown` names the file in messages; `advice` says what to do where the object is refused.
/// Error(Data) where the line is no JSON object.
JsonObject parse_json_line(std::string_view line, const std::string& shown, int64_t number, const std::string& advice);

class JsonLines {
 public:
  explicit JsonLines(const std::string& path, const std::string& shown = {},
                     const std::string& advice = "correct that line");

  /// The object of the next line that is not blank; nothing at the end. Error(Data) as PieceReader and parse_json_line.
  std::optional<JsonObject> next();

  /// The texts under `keys` of the next line that is not blank, and nothing else of it: several times as fast as an
  /// object. False at the end. Error(Data) as next() and JsonObject::text.
  bool next_texts(std::span<const std::string> keys, std::vector<std::string>& texts);

  /// Of the line that was returned last: its number, counted from 1, its offset in the unpacked text and its length.
  int64_t number() const noexcept { return lines_.number(); }
  uint64_t offset() const noexcept { return lines_.offset(); }
  size_t bytes() const noexcept { return bytes_; }

  PieceReader& pieces() noexcept { return lines_.pieces(); }
  const PieceReader& pieces() const noexcept { return lines_.pieces(); }

 private:
  std::optional<std::string_view> next_line();

  std::string shown_;
  std::string advice_;
  LineReader lines_;
  size_t bytes_ = 0;
};

}  // namespace assay::io
