// The typed key-value pairs at the head of a GGUF file, and lookups that name the key when a value is missing or of
// another kind.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "assay/io/source.h"

namespace assay::io {

/// Integers of all widths are one kind here, and floats of both; uint64_t holds only what int64_t cannot.
struct GgufValue {
  std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<GgufValue>> value;
};

class GgufMetadata {
 public:
  using Values = std::map<std::string, GgufValue, std::less<>>;

  GgufMetadata() = default;
  GgufMetadata(Values values, Source source) : values_(std::move(values)), source_(std::move(source)) {}

  bool has(std::string_view key) const { return values_.contains(key); }
  std::vector<std::string> keys() const;

  int64_t integer(std::string_view key, int64_t least = std::numeric_limits<int64_t>::min(),
                  int64_t most = std::numeric_limits<int64_t>::max()) const;
  int64_t positive(std::string_view key, int64_t most = std::numeric_limits<int64_t>::max()) const {
    return integer(key, 1, most);
  }
  double real(std::string_view key) const;  ///< an integer will do
  double positive_real(std::string_view key) const;
  bool boolean(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> reals(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;

  int64_t integer_or(std::string_view key, int64_t fallback) const { return has(key) ? integer(key) : fallback; }
  int64_t positive_or(std::string_view key, int64_t fallback,
                      int64_t most = std::numeric_limits<int64_t>::max()) const {
    return has(key) ? positive(key, most) : fallback;
  }
  double real_or(std::string_view key, double fallback) const { return has(key) ? real(key) : fallback; }
  double positive_real_or(std::string_view key, double fallback) const {
    return has(key) ? positive_real(key) : fallback;
  }
  bool boolean_or(std::string_view key, bool fallback) const { return has(key) ? boolean(key) : fallback; }
  std::string text_or(std::string_view key, std::string fallback) const { return has(key) ? text(key) : fallback; }

  /// Throws `reading "m.gguf": metadata "KEY" must be RULE, but it is VALUE; ADVICE`; for rules that only a caller
  /// knows. Without advice of its own, the source's.
  [[noreturn]] void refuse(std::string_view key, const std::string& rule, const std::string& advice = "") const;

 private:
  const GgufValue& find(std::string_view key) const;
  template <class T>
  const T& get(std::string_view key, const char* rule) const;
  template <class T>
  std::vector<T> list(std::string_view key, const char* rule) const;

  Values values_;
  Source source_;
};

}  // namespace assay::io
