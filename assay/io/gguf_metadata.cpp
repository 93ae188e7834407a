#include "assay/io/gguf_metadata.h"

#include <cmath>

#include "assay/core/near_match.h"
#include "assay/core/twin.h"

namespace assay::io {
namespace {

std::string brief(const GgufValue& value) {
  struct Describe {
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(int64_t x) const { return std::to_string(x); }
    std::string operator()(uint64_t x) const { return std::to_string(x); }
    std::string operator()(double x) const { return shortest(x); }
    std::string operator()(const std::string& x) const {
      return x.size() <= 40 ? quote(x) : "a text of " + std::to_string(x.size()) + " bytes";
    }
    std::string operator()(const std::vector<GgufValue>& x) const { return "a list of " + std::to_string(x.size()); }
  };
  return std::visit(Describe{}, value.value);
}

}  // namespace

std::vector<std::string> GgufMetadata::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : values_) names.push_back(key);
  return names;
}

const GgufValue& GgufMetadata::find(std::string_view key) const {
  if (const auto found = values_.find(key); found != values_.end()) return found->second;
  source_.refuse("metadata " + quote(key) + " must be given, but it is missing" + closest_clause(key, keys()));
}

void GgufMetadata::refuse(std::string_view key, const std::string& rule, const std::string& advice) const {
  source_.refuse("metadata " + quote(key) + " must be " + rule + ", but it is " + brief(find(key)) +
                 (advice.empty() ? "" : "; " + advice));
}

template <class T>
const T& GgufMetadata::get(std::string_view key, const char* rule) const {
  if (const T* value = std::get_if<T>(&find(key).value)) return *value;
  refuse(key, rule);
}

template <class T>
std::vector<T> GgufMetadata::list(std::string_view key, const char* rule) const {
  std::vector<T> values;
  for (const GgufValue& item : get<std::vector<GgufValue>>(key, rule)) {
    const T* value = std::get_if<T>(&item.value);
    if (value == nullptr) refuse(key, rule);
    values.push_back(*value);
  }
  return values;
}

int64_t GgufMetadata::integer(std::string_view key, int64_t least, int64_t most) const {
  const char* rule = least == 1 ? "a positive integer" : least == 0 ? "an integer that is not negative" : "an integer";
  const int64_t value = get<int64_t>(key, rule);
  if (value < least) refuse(key, rule);
  if (value > most) refuse(key, std::string(rule) + " up to " + std::to_string(most));
  return value;
}

double GgufMetadata::real(std::string_view key) const {
  if (const auto* integer = std::get_if<int64_t>(&find(key).value)) return static_cast<double>(*integer);
  return get<double>(key, "a number");
}

double GgufMetadata::positive_real(std::string_view key) const {
  const double value = real(key);
  if ((!(value > 0) || !std::isfinite(value)) && !ASSAY_TWIN("io.gguf_not_positive"))
    refuse(key, "a positive finite number");
  return value;
}

bool GgufMetadata::boolean(std::string_view key) const {
  return get<bool>(key, "true or false");
}
const std::string& GgufMetadata::text(std::string_view key) const {
  return get<std::string>(key, "a text");
}

std::vector<int64_t> GgufMetadata::integers(std::string_view key) const {
  return list<int64_t>(key, "a list of integers");
}
std::vector<double> GgufMetadata::reals(std::string_view key) const {
  return list<double>(key, "a list of numbers");
}
std::vector<std::string> GgufMetadata::texts(std::string_view key) const {
  return list<std::string>(key, "a list of texts");
}

}  // namespace assay::io
