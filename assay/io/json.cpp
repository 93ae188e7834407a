#include "assay/io/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/io/mapped_file.h"

namespace assay::io {
namespace {

/// "line 3, column 7" of the byte at `offset`; columns count bytes.
std::string place_of(std::string_view text, size_t offset, size_t first_line) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 == 0
  return "line " + std::to_string(first_line + line) + ", column " + std::to_string(before.size() - line_start + 1);
}

std::string without_semicolons(std::string text) {
  std::replace(text.begin(), text.end(), ';', ',');
  return text;
}

std::string in_quotes(std::string_view text) {
  std::string quoted;
  for (const char c : text) quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  return quote(quoted);
}

/// The library's own words without its prefix "[json.exception.parse_error.101] parse error at line 1, column 5: ", and
/// without semicolons of its own: behind one, a sentence says what to do.
std::string reason_of(const Json::exception& error) {
  std::string words = error.what();
  if (const size_t bracket = words.find("] "); bracket != std::string::npos) words.erase(0, bracket + 2);
  if (const size_t column = words.find("column "); column != std::string::npos) {
    if (const size_t colon = words.find(": ", column); colon != std::string::npos) words.erase(0, colon + 2);
  }
  // What was read last is quoted as it came: half a character, an escape sequence.
  std::replace_if(
      words.begin(), words.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, '?');
  constexpr std::string_view kLast = "; last read: '", kExpected = "'; expected ";
  const size_t last = words.find(kLast);
  if (last == std::string::npos) return without_semicolons(words);
  const size_t begin = last + kLast.size(), end = std::min(words.rfind(kExpected), words.size() - 1);
  return without_semicolons(words.substr(0, last)) + ", last read: " + in_quotes(words.substr(begin, end - begin)) +
         without_semicolons(words.substr(end + 1));
}

constexpr int kDeepest = 256;  // what copies, compares and prints a value calls itself at every level of it

/// Follows the parser: how deep it stands, and which keys every open object has, innermost last.
class Guard {
 public:
  Guard(std::string_view text, const Source& source, DuplicateKeys duplicates)
      : source_(source), duplicates_(duplicates) {
    if (text.find('\n') == std::string_view::npos) line_ = " in line " + std::to_string(source.first_line);
  }

  bool operator()(int depth, Json::parse_event_t event, Json& parsed) {
    const bool opens = event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth >= kDeepest && !ASSAY_TWIN("io.json_depth_unchecked")) {
      source_.refuse("lists and objects must nest at most " + std::to_string(kDeepest) +
                     " deep, but these nest deeper" + line_);
    }
    if (duplicates_ == DuplicateKeys::KeepLast) return true;
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key) add(parsed.get_ref<const std::string&>());
    return true;
  }

 private:
  void add(const std::string& key) {
    if (open_.back().insert(key).second || ASSAY_TWIN("io.json_duplicate_key_kept")) return;
    source_.refuse("a key must stand once in its object, but " + quote(key) + " stands there twice" + line_ +
                   "; remove one of them");
  }

  const Source& source_;
  DuplicateKeys duplicates_;
  std::string line_;  // where the text is one line of many; the parser does not say how far it has come
  std::vector<std::set<std::string>> open_;
};

}  // namespace

Json parse_json(std::string_view text, const Source& source, DuplicateKeys duplicates) {
  try {
    return Json::parse(text.begin(), text.end(), Guard(text, source, duplicates));
  } catch (const Json::parse_error& error) {
    source.refuse("the text must be JSON, but at " +
                  place_of(text, error.byte == 0 ? 0 : error.byte - 1, source.first_line) + " there is a " +
                  reason_of(error));
  } catch (const Json::exception& error) {
    source.refuse("the text must be JSON, but: " + reason_of(error));
  }
}

Json read_json(const std::string& path, ErrorKind kind, DuplicateKeys duplicates) {
  return parse_json(MappedFile::open(path, kind)->text(), {.name = path, .kind = kind}, duplicates);
}

JsonObject read_json_object(const std::string& path, ErrorKind kind) {
  return JsonObject(read_json(path, kind), {.name = path, .kind = kind});
}

std::string brief(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr size_t kLimit = 60;
  if (text.size() <= kLimit) return text;
  size_t end = kLimit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // never half a character
  text.resize(end);
  bool is_quoted = false;  // a text that is cut is closed: whoever reads on finds its end
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && is_quoted)
      ++i;
    else if (text[i] == '"')
      is_quoted = !is_quoted;
  }
  return text + (is_quoted ? "…\"" : "…");
}

JsonObject::JsonObject(Json value, Source source)
    : JsonObject(std::make_shared<const Json>(std::move(value)), std::make_shared<const Source>(std::move(source)),
                 "") {}

JsonObject::JsonObject(std::shared_ptr<const Json> value, std::shared_ptr<const Source> source, std::string path)
    : value_(std::move(value)), source_(std::move(source)), path_(std::move(path)) {
  if (value_->is_object()) return;
  const std::string what = path_.empty() ? "it" : quote(path_);
  source_->refuse(what + " must be a JSON object, but it is " + brief(*value_));
}

bool JsonObject::has(std::string_view key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : value_->items()) names.push_back(key);
  return names;
}

std::string JsonObject::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const Json& JsonObject::value(std::string_view key) const {
  if (has(key)) return *value_->find(key);
  const std::string rule = "key " + quote(path_of(key)) + " must be given, but it is ";
  if (value_->contains(key)) source_->refuse(rule + "null");
  source_->refuse(rule + "missing" + closest_clause(key, keys()));
}

void JsonObject::refuse(std::string_view key, const std::string& rule, const std::string& advice) const {
  source_->refuse(quote(path_of(key)) + " must be " + rule + ", but it is " + brief(value(key)) +
                  (advice.empty() ? "" : "; " + advice));
}

int64_t JsonObject::integer(std::string_view key, int64_t least, int64_t most) const {
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  const Json& found = value(key);
  const bool too_large = found.is_number_unsigned() && found.get<uint64_t>() > static_cast<uint64_t>(kMost);
  if (found.is_number_integer() && !too_large) {
    const auto number = found.get<int64_t>();
    if (number >= least && number <= most) return number;
  }
  if (most == kMost && least == 1) refuse(key, "a positive integer");
  if (most == kMost && least == 0) refuse(key, "an integer that is not negative");
  if (most == kMost && least == std::numeric_limits<int64_t>::min()) refuse(key, "an integer");
  refuse(key, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
}

double JsonObject::real(std::string_view key) const {
  const Json& found = value(key);
  if (!found.is_number()) refuse(key, "a number");
  return found.get<double>();
}

double JsonObject::positive_real(std::string_view key) const {
  const double number = real(key);
  if ((!(number > 0) || !std::isfinite(number)) && !ASSAY_TWIN("io.json_not_positive"))
    refuse(key, "a positive finite number");
  return number;
}

bool JsonObject::boolean(std::string_view key) const {
  const Json& found = value(key);
  if (!found.is_boolean()) refuse(key, "true or false");
  return found.get<bool>();
}

std::string JsonObject::text(std::string_view key) const {
  const Json& found = value(key);
  if (!found.is_string()) refuse(key, "a text");
  return found.get<std::string>();
}

JsonObject JsonObject::object(std::string_view key) const {
  return {std::shared_ptr<const Json>(value_, &value(key)), source_, path_of(key)};
}

std::vector<JsonObject> JsonObject::objects(std::string_view key) const {
  const Json& found = value(key);
  if (!found.is_array()) refuse(key, "a list of objects");
  std::vector<JsonObject> all;
  for (size_t i = 0; i < found.size(); ++i) {
    all.push_back(
        {std::shared_ptr<const Json>(value_, &found[i]), source_, path_of(key) + "[" + std::to_string(i) + "]"});
  }
  return all;
}

std::vector<std::string> JsonObject::texts(std::string_view key) const {
  const Json& found = value(key);
  const bool all_texts =
      found.is_array() && std::all_of(found.begin(), found.end(), [](const Json& x) { return x.is_string(); });
  if (!all_texts) refuse(key, "a list of texts");
  return found.get<std::vector<std::string>>();
}

std::vector<int64_t> JsonObject::integers(std::string_view key) const {
  const Json& found = value(key);
  const auto fits = [](const Json& x) {
    return x.is_number_integer() &&
           !(x.is_number_unsigned() && x.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
  };
  if (!found.is_array() || !std::all_of(found.begin(), found.end(), fits)) refuse(key, "a list of integers");
  return found.get<std::vector<int64_t>>();
}

void JsonObject::refuse_unknown(std::initializer_list<std::string_view> known) const {
  for (const std::string& key : keys()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::vector<std::string> names(known.begin(), known.end());
    source_->refuse("every key must be a known one, but " + quote(path_of(key)) + " is not" +
                    closest_clause(key, names));
  }
}

}  // namespace assay::io
