// An array as it lies in a file: an element type, a shape and bytes that somebody else keeps alive. The common currency
// of safetensors, GGUF and Store; torch-free (assay/io/tensor.h crosses over without a copy).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "assay/core/error.h"

namespace assay::io {

/// Element types, named and ordered as in the safetensors format (its writers sort by this order).
enum class DType : uint8_t { Bool, U8, I8, F8_E5M2, F8_E4M3, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64 };

/// Bytes of one element.
size_t size_of(DType dtype) noexcept;

/// "BOOL", "F32", …
const char* to_string(DType dtype) noexcept;
std::optional<DType> dtype_named(std::string_view name) noexcept;

/// The product of a shape (1 for a scalar), or nothing where a size is negative or the product exceeds int64.
std::optional<int64_t> element_count(std::span<const int64_t> shape) noexcept;

/// "[2, 3]"
std::string shape_to_string(std::span<const int64_t> shape);

/// Row-major, little-endian. Promises that bytes.size() == element count · size_of(dtype) and that bytes.data() is
/// aligned to the element; every reader of this area keeps the promise.
struct Array {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< keeps `bytes` alive: a memory map or a buffer
  bool is_mapped = false;             ///< whether `bytes` lie in a file that is mapped (assay/io/mapped_file.h)

  int64_t size() const noexcept { return static_cast<int64_t>(bytes.size() / size_of(dtype)); }
};

/// Arrays by name, in the order of their names.
using Arrays = std::map<std::string, Array, std::less<>>;

/// The array of that name, or Error(kind) with the nearest names: `reading "source": …`.
const Array& array_named(const Arrays& arrays, std::string_view name, const std::string& source, ErrorKind kind);

template <class T>
constexpr DType dtype_of() = delete;
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::U8;
}
template <>
constexpr DType dtype_of<int8_t>() {
  return DType::I8;
}
template <>
constexpr DType dtype_of<int16_t>() {
  return DType::I16;
}
template <>
constexpr DType dtype_of<uint16_t>() {
  return DType::U16;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::I32;
}
template <>
constexpr DType dtype_of<uint32_t>() {
  return DType::U32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::I64;
}
template <>
constexpr DType dtype_of<uint64_t>() {
  return DType::U64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::F32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::F64;
}

/// The elements of an array whose type is T; asking for another type is our own mistake.
template <class T>
std::span<const T> values(const Array& array) {
  ASSAY_ASSERT(array.dtype == dtype_of<T>());
  return {reinterpret_cast<const T*>(array.bytes.data()), static_cast<size_t>(array.size())};
}

/// An array that owns its elements.
template <class T>
Array make_array(std::vector<int64_t> shape, std::vector<T> elements) {
  auto owner = std::make_shared<const std::vector<T>>(std::move(elements));
  Array array{dtype_of<T>(), std::move(shape), std::as_bytes(std::span(*owner)), owner};
  ASSAY_ASSERT(element_count(array.shape) == array.size());
  return array;
}

}  // namespace assay::io
