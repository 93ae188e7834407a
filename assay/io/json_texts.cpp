#include "assay/io/json_texts.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/io/json.h"

namespace assay::io {
namespace {

constexpr size_t kDeepestLine = 64;  // beyond these parse_json decides
constexpr size_t kMostKeys = 256;    // of one object, looked through one by one

/// Hears of the values in their order and keeps the wanted ones.
class TextPicker final : public nlohmann::json_sax<Json> {
 public:
  TextPicker(std::span<const std::string> keys, std::span<std::string> values)
      : keys_(keys), values_(values), is_found_(keys.size(), 0) {}

  bool found_all() const {
    return std::ranges::all_of(is_found_, [](char found) { return found != 0; });
  }

  bool null() override { return is_unwanted(); }
  bool boolean(bool) override { return is_unwanted(); }
  bool number_integer(number_integer_t) override { return is_unwanted(); }
  bool number_unsigned(number_unsigned_t) override { return is_unwanted(); }
  bool number_float(number_float_t, const string_t&) override { return is_unwanted(); }
  bool binary(binary_t&) override { return false; }
  bool string(string_t& value) override {
    if (wanted_ == keys_.size()) return !open_.empty();
    values_[wanted_].swap(value);
    is_found_[wanted_] = 1;
    wanted_ = keys_.size();
    return true;
  }

  bool start_object(std::size_t) override { return opens(true); }
  bool key(string_t& name) override {
    std::vector<uint64_t>& seen = open_.back();
    const uint64_t hash = hash64(name);
    const bool is_twice = std::ranges::find(seen, hash) != seen.end() && !ASSAY_TWIN("io.json_texts_of_the_last_key");
    if (is_twice || seen.size() == kMostKeys) return false;
    seen.push_back(hash);
    if (open_.size() == 1) wanted_ = static_cast<size_t>(std::ranges::find(keys_, name) - keys_.begin());
    return true;
  }
  bool end_object() override { return closes(); }
  bool start_array(std::size_t) override { return opens(false); }
  bool end_array() override { return closes(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  /// A value that is no text: nothing of ours, and inside an object.
  bool is_unwanted() const { return wanted_ == keys_.size() && !open_.empty(); }

  bool opens(bool is_object) {
    if (open_.empty() ? !is_object : !is_unwanted() || open_.size() == kDeepestLine) return false;
    open_.emplace_back();
    return true;
  }
  bool closes() {
    open_.pop_back();
    return true;
  }

  std::span<const std::string> keys_;
  std::span<std::string> values_;
  std::vector<char> is_found_;
  size_t wanted_ = keys_.size();             // which of the keys the next value belongs to; none
  std::vector<std::vector<uint64_t>> open_;  // hashes of the keys of each object around, none of a list
};

}  // namespace

bool extract_texts(std::string_view json, std::span<const std::string> keys, std::span<std::string> values) {
  TextPicker picker(keys, values);
  return Json::sax_parse(json.begin(), json.end(), &picker) && picker.found_all();
}

}  // namespace assay::io
