#include "assay/io/json_lines.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace assay::io {

JsonObject parse_json_line(std::string_view line, const std::string& shown, int64_t number, const std::string& advice) {
  const Source text{
      .name = shown, .kind = ErrorKind::Data, .first_line = static_cast<size_t>(number), .advice = "correct that line"};
  return {parse_json(line, text),
          {.name = shown + ", line " + std::to_string(number), .kind = ErrorKind::Data, .advice = advice}};
}

JsonLines::JsonLines(const std::string& path, const std::string& shown, const std::string& advice)
    : shown_(shown.empty() ? path : shown), advice_(advice), lines_(path, ErrorKind::Data, shown) {}

std::optional<JsonObject> JsonLines::next() {
  while (const std::optional<std::string_view> line = lines_.next()) {
    if (line->find_first_not_of(" \t\r\n\f\v") == std::string_view::npos) continue;
    bytes_ = line->size();
    return parse_json_line(*line, shown_, lines_.number(), advice_);
  }
  return std::nullopt;
}

}  // namespace assay::io
