#include "assay/io/json_lines.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "assay/io/json_texts.h"

namespace assay::io {

JsonObject parse_json_line(std::string_view line, const std::string& shown, int64_t number, const std::string& advice) {
  const Source text{
      .name = shown, .kind = ErrorKind::Data, .first_line = static_cast<size_t>(number), .advice = "correct that line"};
  return {parse_json(line, text),
          {.name = shown + ", line " + std::to_string(number), .kind = ErrorKind::Data, .advice = advice}};
}

JsonLines::JsonLines(const std::string& path, const std::string& shown, const std::string& advice)
    : shown_(shown.empty() ? path : shown), advice_(advice), lines_(path, ErrorKind::Data, shown) {}

std::optional<std::string_view> JsonLines::next_line() {
  while (const std::optional<std::string_view> line = lines_.next()) {
    if (line->find_first_not_of(" \t\r\n\f\v") == std::string_view::npos) continue;
    bytes_ = line->size();
    return line;
  }
  return std::nullopt;
}

std::optional<JsonObject> JsonLines::next() {
  const std::optional<std::string_view> line = next_line();
  if (!line) return std::nullopt;
  return parse_json_line(*line, shown_, lines_.number(), advice_);
}

bool JsonLines::next_texts(std::span<const std::string> keys, std::vector<std::string>& texts) {
  const std::optional<std::string_view> line = next_line();
  if (!line) return false;
  texts.resize(keys.size());
  if (extract_texts(*line, keys, texts)) return true;
  const JsonObject object = parse_json_line(*line, shown_, lines_.number(), advice_);  // says what is amiss
  for (size_t i = 0; i < keys.size(); ++i) texts[i] = object.text(keys[i]);
  return true;
}

}  // namespace assay::io
