// JSON with errors worth reading: a text that is not JSON is refused by line and column, a key given twice by its name,
// a value of the wrong kind by its path, the rule and what was found. Lists and objects nest at most 256 deep. Numbers
// keep 64-bit integers exact.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "assay/io/source.h"

namespace assay::io {

using Json = nlohmann::json;

enum class DuplicateKeys { Refuse, KeepLast };

/// Error(source.kind) with line and column where `text` is not one JSON value in UTF-8.
Json parse_json(std::string_view text, const Source& source, DuplicateKeys duplicates = DuplicateKeys::Refuse);

/// The value of a whole file.
Json read_json(const std::string& path, ErrorKind kind, DuplicateKeys duplicates = DuplicateKeys::Refuse);

/// A value as a message shows it: one line, cut at 60 bytes.
std::string brief(const Json& value);

/// A JSON object read key by key. A missing key, a wrong type or a value out of range is one sentence that names file,
/// path, rule and what was found; a misspelt key gets its nearest neighbours. `null` counts as absent, as
/// configurations of Hugging Face use it. Copies are cheap; the underlying value is shared.
class JsonObject {
 public:
  /// Error(source.kind) where `value` is not an object.
  JsonObject(Json value, Source source);

  bool has(std::string_view key) const;
  std::vector<std::string> keys() const;
  const Json& value(std::string_view key) const;
  const Json& json() const noexcept { return *value_; }
  const std::string& source_name() const noexcept { return source_->name; }

  int64_t integer(std::string_view key, int64_t least = std::numeric_limits<int64_t>::min(),
                  int64_t most = std::numeric_limits<int64_t>::max()) const;
  int64_t positive(std::string_view key) const { return integer(key, 1); }
  int64_t positive(std::string_view key, int64_t most) const { return integer(key, 1, most); }
  double real(std::string_view key) const;
  double positive_real(std::string_view key) const;
  bool boolean(std::string_view key) const;
  std::string text(std::string_view key) const;
  JsonObject object(std::string_view key) const;
  std::vector<JsonObject> objects(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;

  int64_t integer_or(std::string_view key, int64_t fallback) const { return has(key) ? integer(key) : fallback; }
  int64_t positive_or(std::string_view key, int64_t fallback,
                      int64_t most = std::numeric_limits<int64_t>::max()) const {
    return has(key) ? positive(key, most) : fallback;
  }
  double positive_real_or(std::string_view key, double fallback) const {
    return has(key) ? positive_real(key) : fallback;
  }
  double real_or(std::string_view key, double fallback) const { return has(key) ? real(key) : fallback; }
  bool boolean_or(std::string_view key, bool fallback) const { return has(key) ? boolean(key) : fallback; }
  std::string text_or(std::string_view key, std::string fallback) const { return has(key) ? text(key) : fallback; }

  /// Refuses a key that is not among `known`, with the nearest of them.
  void refuse_unknown(std::initializer_list<std::string_view> known) const;

  /// `reading "config.json": "rope.factor" must be RULE, but it is VALUE; ADVICE`, thrown; for rules that only a caller
  /// knows. Without advice of its own, the source's.
  [[noreturn]] void refuse(std::string_view key, const std::string& rule, const std::string& advice = "") const;

 private:
  JsonObject(std::shared_ptr<const Json> value, std::shared_ptr<const Source> source, std::string path);
  std::string path_of(std::string_view key) const;

  std::shared_ptr<const Json> value_;
  std::shared_ptr<const Source> source_;
  std::string path_;  // "" at the root, else "a.b[2]"
};

/// The object that a whole file holds.
JsonObject read_json_object(const std::string& path, ErrorKind kind);

}  // namespace assay::io
