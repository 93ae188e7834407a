#include "assay/data/arrays.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "assay/core/error.h"
#include "assay/io/json_lines.h"

namespace assay::data {
namespace {

/// The finite numbers of a JSON list of the given length.
std::vector<float> numbers(const io::JsonObject& line, const std::string& key, int64_t length) {
  const io::Json& list = line.value(key);
  const std::string rule = fmt::format("a list of {} finite numbers", length);
  if (!list.is_array() || static_cast<int64_t>(list.size()) != length) line.refuse(key, rule);
  std::vector<float> values;
  for (const io::Json& value : list) {
    const float number = value.is_number() ? value.get<float>() : std::nanf("");
    if (!std::isfinite(number)) line.refuse(key, rule);
    values.push_back(number);
  }
  return values;
}

}  // namespace

Dataset read_arrays(const std::string& path, const ArrayShape& shape, int64_t limit) {
  Dataset dataset;
  io::JsonLines lines(path);
  while (limit == 0 || dataset.size() < limit) {
    const auto next = lines.next();
    if (!next) break;
    const io::JsonObject& line = *next;
    Example example;
    example.features = numbers(line, "features", shape.features);
    if (shape.classes > 0) {
      example.label = static_cast<int32_t>(line.integer("label", 0, shape.classes - 1));
    } else {
      example.values = numbers(line, "values", shape.values);
    }
    dataset.examples.push_back(std::move(example));
  }
  if (dataset.examples.empty()) {
    throw Error(
        ErrorKind::Data,
        fmt::format("reading arrays from \"{}\": it must hold an example, but it holds none; write lines such as "
                    "{{\"features\": […], \"label\": 0}}",
                    path));
  }
  assign_ids(dataset);
  return dataset;
}

}  // namespace assay::data
