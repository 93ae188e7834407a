#include "assay/io/gguf.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <optional>

#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/io/mapped_file.h"

namespace assay::io {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kLongestKey = 65535;
constexpr uint32_t kMostDimensions = 4;
constexpr int kDeepestList = 4;  // the format allows lists in lists; nobody nests deeper

enum class ValueType : uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };

/// Bytes that a value takes at least; used to refuse a list longer than the file before it is stored.
uint64_t least_bytes(ValueType type) {
  switch (type) {
    case ValueType::U8:
    case ValueType::I8:
    case ValueType::Bool: return 1;
    case ValueType::U16:
    case ValueType::I16: return 2;
    case ValueType::U32:
    case ValueType::I32:
    case ValueType::F32: return 4;
    case ValueType::Array: return 12;
    default: return 8;
  }
}

/// Reads forward through the file, never past its end.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, const Source& source) : bytes_(bytes), source_(source) {}

  uint64_t position() const noexcept { return position_; }
  uint64_t left() const noexcept { return bytes_.size() - position_; }

  template <class T>
  T number(const std::string& what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what), sizeof(T));
    return value;
  }

  std::string text(const std::string& what) {
    const auto length = number<uint64_t>("the length of " + what);
    const auto* start = reinterpret_cast<const char*>(take(length, what));
    return {start, static_cast<size_t>(length)};
  }

 private:
  const std::byte* take(uint64_t count, const std::string& what) {
    if (count > left()) {
      source_.refuse("the file must hold " + what + " at byte " + std::to_string(position_) + " (" +
                     std::to_string(count) + " bytes), but only " + std::to_string(left()) +
                     " bytes are left; it is cut off or damaged, fetch it again");
    }
    const std::byte* start = bytes_.data() + position_;
    position_ += count;
    return start;
  }

  std::span<const std::byte> bytes_;
  const Source& source_;
  uint64_t position_ = 0;
};

ValueType read_value_type(Cursor& cursor, const std::string& what, const Source& source) {
  const auto type = cursor.number<uint32_t>("the type of " + what);
  if (type > static_cast<uint32_t>(ValueType::F64)) {
    source.refuse(what + " must have one of the 13 value types (0 to 12), but it has type " + std::to_string(type));
  }
  return static_cast<ValueType>(type);
}

GgufValue read_value(Cursor& cursor, ValueType type, const std::string& what, const Source& source, int depth) {
  const auto integer = [](auto value) { return GgufValue{static_cast<int64_t>(value)}; };
  switch (type) {
    case ValueType::U8: return integer(cursor.number<uint8_t>(what));
    case ValueType::I8: return integer(cursor.number<int8_t>(what));
    case ValueType::U16: return integer(cursor.number<uint16_t>(what));
    case ValueType::I16: return integer(cursor.number<int16_t>(what));
    case ValueType::U32: return integer(cursor.number<uint32_t>(what));
    case ValueType::I32: return integer(cursor.number<int32_t>(what));
    case ValueType::I64: return integer(cursor.number<int64_t>(what));
    case ValueType::F32: return {double{cursor.number<float>(what)}};
    case ValueType::F64: return {cursor.number<double>(what)};
    case ValueType::String: return {cursor.text(what)};
    case ValueType::U64: {
      const auto value = cursor.number<uint64_t>(what);
      return value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ? integer(value) : GgufValue{value};
    }
    case ValueType::Bool: {
      const auto value = cursor.number<uint8_t>(what);
      if (value > 1) source.refuse(what + " must be a truth value, 0 or 1, but it is " + std::to_string(value));
      return {value == 1};
    }
    case ValueType::Array: break;
  }
  if (depth >= kDeepestList) source.refuse(what + " must not nest lists more than 4 deep, but it does");
  const ValueType item = read_value_type(cursor, "an item of " + what, source);
  const auto count = cursor.number<uint64_t>("the length of " + what);
  if (count > cursor.left() / least_bytes(item)) {
    source.refuse(what + " states a list of " + std::to_string(count) + ", which must fit the " +
                  std::to_string(cursor.left()) +
                  " bytes that are left, but it does not; the file is cut off or damaged");
  }
  std::vector<GgufValue> items;
  items.reserve(count);
  for (uint64_t i = 0; i < count; ++i) items.push_back(read_value(cursor, item, what, source, depth + 1));
  return {std::move(items)};
}

struct Counts {
  uint64_t tensors;
  uint64_t values;
};

Counts read_head(Cursor& cursor, const Source& source) {
  if (cursor.number<uint32_t>("the magic word GGUF") != kMagic) {
    source.refuse("a GGUF file must begin with the letters GGUF, but it does not; this is another kind of file");
  }
  const auto version = cursor.number<uint32_t>("the format version");
  if ((version & 0xFFFF) == 0) {
    source.refuse("a GGUF file must be little-endian, but this one is big-endian; convert it with gguf-convert-endian");
  }
  if (version != 2 && version != 3) {
    source.refuse("the GGUF version must be 2 or 3, but it is " + std::to_string(version) +
                  "; convert the model again");
  }
  const auto tensors = cursor.number<uint64_t>("the number of tensors");
  return {tensors, cursor.number<uint64_t>("the number of metadata values")};
}

GgufMetadata::Values read_values(Cursor& cursor, uint64_t count, const Source& source) {
  GgufMetadata::Values values;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string key = cursor.text("metadata key " + std::to_string(i + 1) + " of " + std::to_string(count));
    if (key.empty() || key.size() > kLongestKey) {
      source.refuse("a metadata key must have 1 to 65535 bytes, but one has " + std::to_string(key.size()));
    }
    const std::string what = "metadata " + quote(key);
    const ValueType type = read_value_type(cursor, what, source);
    if (!values.emplace(key, read_value(cursor, type, what, source, 0)).second) {
      source.refuse(what + " must be given once, but it is given twice");
    }
  }
  return values;
}

/// A row of the tensor table; `offset` counts from the beginning of the data.
struct TensorInfo {
  GgufTensor tensor;
  uint64_t offset;
  uint64_t bytes;
};

/// Bytes of a tensor, or nothing where they do not fit 63 bits or a row is not whole blocks.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, const GgmlTypeFacts& facts) {
  const std::optional<int64_t> count = element_count(shape);
  const int64_t row = shape.empty() ? 1 : shape.back();
  if (!count || row % facts.block_elements != 0) return std::nullopt;
  const int64_t blocks = *count / facts.block_elements;
  if (blocks > std::numeric_limits<int64_t>::max() / facts.block_bytes) return std::nullopt;
  return static_cast<uint64_t>(blocks * facts.block_bytes);
}

TensorInfo read_entry(Cursor& cursor, uint64_t number, const Source& source) {
  TensorInfo entry{{cursor.text("the name of tensor " + std::to_string(number)), {}, GgmlType::F32, {}}, 0, 0};
  const std::string what = "tensor " + quote(entry.tensor.name);
  const auto dimensions = cursor.number<uint32_t>("the number of dimensions of " + what);
  if (dimensions > kMostDimensions) {
    source.refuse(what + " must have at most 4 dimensions, but it has " + std::to_string(dimensions));
  }
  for (uint32_t i = 0; i < dimensions; ++i) {
    const auto size = cursor.number<uint64_t>("the shape of " + what);
    if (size == 0 || size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      source.refuse(what + " must have positive sizes, but one of them is " + std::to_string(size));
    }
    entry.tensor.shape.push_back(static_cast<int64_t>(size));
  }
  if (!ASSAY_TWIN("io.gguf_shape_not_reversed")) std::reverse(entry.tensor.shape.begin(), entry.tensor.shape.end());

  const auto type = cursor.number<uint32_t>("the type of " + what);
  const std::optional<GgmlTypeFacts> facts = facts_of(type);
  if (!facts) {
    source.refuse(what + " must have a type that ggml knows, but its type number is " + std::to_string(type) +
                  "; the file is damaged or newer than this program");
  }
  entry.tensor.type = facts->type;
  const std::optional<uint64_t> bytes = bytes_of(entry.tensor.shape, *facts);
  if (!bytes) {
    source.refuse(what + " of type " + facts->name + " must have rows of whole blocks of " +
                  std::to_string(facts->block_elements) + " and fit 63 bits, but its shape is " +
                  shape_to_string(entry.tensor.shape));
  }
  entry.bytes = *bytes;
  entry.offset = cursor.number<uint64_t>("the offset of " + what);
  return entry;
}

uint64_t read_alignment(const GgufMetadata& metadata) {
  if (!metadata.has("general.alignment")) return kDefaultAlignment;
  const int64_t alignment = metadata.positive("general.alignment");
  if (!std::has_single_bit(static_cast<uint64_t>(alignment)) || alignment > (int64_t{1} << 30)) {
    metadata.refuse("general.alignment", "a power of two up to 2^30");
  }
  return static_cast<uint64_t>(alignment);
}

/// Gives each tensor its bytes: aligned, inside the file, sharing nothing with another.
void place(std::vector<TensorInfo>& entries, std::span<const std::byte> data, uint64_t alignment,
           const Source& source) {
  std::sort(entries.begin(), entries.end(),
            [](const TensorInfo& a, const TensorInfo& b) { return a.offset < b.offset; });
  uint64_t covered = 0;
  for (TensorInfo& entry : entries) {
    const std::string what = "tensor " + quote(entry.tensor.name);
    if (entry.offset % alignment != 0) {
      source.refuse(what + " must begin at a multiple of " + std::to_string(alignment) + " bytes, but its offset is " +
                    std::to_string(entry.offset));
    }
    if (entry.offset > data.size() || entry.bytes > data.size() - entry.offset) {
      source.refuse(what + " must lie inside the file, but it takes " + std::to_string(entry.bytes) +
                    " bytes at offset " + std::to_string(entry.offset) + " of " + std::to_string(data.size()) +
                    " bytes of data; the file is cut off, fetch it again");
    }
    if (entry.offset < covered && !ASSAY_TWIN("io.gguf_overlap_unchecked")) {
      source.refuse(what + " must not overlap another tensor, but it begins at offset " + std::to_string(entry.offset) +
                    " where another ends at " + std::to_string(covered) + "; the file is damaged, fetch it again");
    }
    covered = entry.offset + entry.bytes;
    entry.tensor.bytes = data.subspan(entry.offset, entry.bytes);
  }
}

/// Memory of its own for a tensor. The kernel may give large ones in pages of 2 MiB, which takes a quarter of the time
/// when they are filled.
std::shared_ptr<void> memory_for(size_t bytes) {
  constexpr size_t kLine = 64, kLargePage = size_t{2} << 20;
  const bool is_large = bytes >= kLargePage;
  const size_t alignment = is_large ? kLargePage : kLine;
  void* memory = std::aligned_alloc(alignment, std::max<size_t>(1, (bytes + alignment - 1) / alignment) * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  if (is_large) madvise(memory, bytes / kLargePage * kLargePage, MADV_HUGEPAGE);  // a wish; nothing is lost without it
  return {memory, std::free};
}

template <class Number>
Array dequantised(const GgufTensor& tensor, DType dtype) {
  const auto count = static_cast<size_t>(*element_count(tensor.shape));
  const std::shared_ptr<void> memory = memory_for(count * sizeof(Number));
  const std::span<Number> weights(static_cast<Number*>(memory.get()), count);
  dequantise(tensor.type, tensor.bytes, weights);
  return {dtype, tensor.shape, std::as_bytes(weights), memory};
}

}  // namespace

Gguf Gguf::open(const std::string& path, ErrorKind kind) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path, kind);
  Gguf gguf({.name = path, .kind = kind}, file);
  const Source& source = gguf.source_;
  Cursor cursor(file->bytes(), source);

  const Counts counts = read_head(cursor, source);
  gguf.metadata_ = GgufMetadata(read_values(cursor, counts.values, source), source);
  std::vector<TensorInfo> entries;
  for (uint64_t i = 0; i < counts.tensors; ++i) entries.push_back(read_entry(cursor, i + 1, source));

  const uint64_t alignment = read_alignment(gguf.metadata_);
  const uint64_t start = (cursor.position() + alignment - 1) / alignment * alignment;
  place(entries, file->bytes().subspan(std::min<uint64_t>(start, file->bytes().size())), alignment, source);
  for (TensorInfo& entry : entries) {
    const std::string name = entry.tensor.name;
    if (!gguf.tensors_.emplace(name, std::move(entry.tensor)).second) {
      source.refuse("tensor " + quote(name) + " must be listed once, but it is listed twice");
    }
  }
  return gguf;
}

Array Gguf::load(std::string_view name, DType dtype) const {
  ASSAY_ASSERT(dtype == DType::F32 || dtype == DType::BF16);
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    std::vector<std::string> known;
    for (const auto& [other, tensor] : tensors_) known.push_back(other);
    source_.refuse("tensor " + quote(name) + " must be there, but it is not among the " + std::to_string(known.size()) +
                   " tensors" + closest_clause(name, known));
  }
  const GgufTensor& tensor = found->second;
  if (!can_dequantise(tensor.type)) {
    source_.refuse("tensor " + quote(name) + " must have a type that Assay dequantises (" + dequantised_types() +
                   "), but it has " + to_string(tensor.type) +
                   "; convert the model with: llama-quantize --allow-requantize FILE OUT Q8_0");
  }
  const bool is_there = tensor.type == (dtype == DType::F32 ? GgmlType::F32 : GgmlType::BF16);
  if (is_there && reinterpret_cast<uintptr_t>(tensor.bytes.data()) % size_of(dtype) == 0) {
    return {dtype, tensor.shape, tensor.bytes, file_, /*is_mapped=*/true};
  }
  Array array = dtype == DType::F32 ? dequantised<float>(tensor, dtype) : dequantised<uint16_t>(tensor, dtype);
  release_pages(tensor.bytes);  // nobody reads them a second time
  return array;
}

}  // namespace assay::io
