#include "assay/io/array.h"

#include <array>
#include <limits>

#include "assay/core/near_match.h"

namespace assay::io {
namespace {

struct DTypeFacts {
  const char* name;
  size_t bytes;
};

constexpr std::array<DTypeFacts, 15> kFacts{{{"BOOL", 1},
                                             {"U8", 1},
                                             {"I8", 1},
                                             {"F8_E5M2", 1},
                                             {"F8_E4M3", 1},
                                             {"I16", 2},
                                             {"U16", 2},
                                             {"F16", 2},
                                             {"BF16", 2},
                                             {"I32", 4},
                                             {"U32", 4},
                                             {"F32", 4},
                                             {"F64", 8},
                                             {"I64", 8},
                                             {"U64", 8}}};
static_assert(kFacts.size() == static_cast<size_t>(DType::U64) + 1);

}  // namespace

size_t size_of(DType dtype) noexcept {
  return kFacts[static_cast<size_t>(dtype)].bytes;
}
const char* to_string(DType dtype) noexcept {
  return kFacts[static_cast<size_t>(dtype)].name;
}

std::optional<DType> dtype_named(std::string_view name) noexcept {
  for (size_t i = 0; i < kFacts.size(); ++i) {
    if (kFacts[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::optional<int64_t> element_count(std::span<const int64_t> shape) noexcept {
  // A zero anywhere makes the array empty, whatever the other sizes are.
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    empty |= size == 0;
  }
  if (empty) return 0;
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (count > std::numeric_limits<int64_t>::max() / size) return std::nullopt;
    count *= size;
  }
  return count;
}

std::string shape_to_string(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

const Array& array_named(const Arrays& arrays, std::string_view name, const std::string& source, ErrorKind kind) {
  const auto found = arrays.find(name);
  if (found != arrays.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [other, array] : arrays) known.push_back(other);
  throw Error(kind, "reading \"" + source + "\": tensor \"" + std::string(name) +
                        "\" must be there, but it is not among the " + std::to_string(known.size()) + " tensors" +
                        closest_clause(name, known));
}

}  // namespace assay::io
