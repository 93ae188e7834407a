// Writes GGUF files for tests: well formed by default, and every field can be made wrong.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace assay {

inline std::string gguf_text(const std::string& text) {
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

template <class T>
std::string gguf_number(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(T)};
}

class GgufWriter {
 public:
  uint32_t version = 3;
  uint32_t alignment = 32;  ///< of what is written; state it with value("general.alignment", …) where it is not 32

  /// Type numbers: 4 uint32, 5 int32, 6 float32, 7 bool, 8 text, 9 list, 10 uint64, 11 int64, 12 float64.
  GgufWriter& value(const std::string& key, uint32_t type, const std::string& bytes) {
    values_ += gguf_text(key) + gguf_number(type) + bytes;
    ++value_count_;
    return *this;
  }
  GgufWriter& text(const std::string& key, const std::string& text) { return value(key, 8, gguf_text(text)); }
  GgufWriter& integer(const std::string& key, uint32_t number) { return value(key, 4, gguf_number(number)); }
  GgufWriter& real(const std::string& key, float number) { return value(key, 6, gguf_number(number)); }
  GgufWriter& texts(const std::string& key, const std::vector<std::string>& items) {
    std::string bytes = gguf_number(uint32_t{8}) + gguf_number(uint64_t{items.size()});
    for (const std::string& item : items) bytes += gguf_text(item);
    return value(key, 9, bytes);
  }

  /// `shape` row-major, as Assay shows it.
  GgufWriter& tensor(const std::string& name, const std::vector<uint64_t>& shape, uint32_t type,
                     const std::string& bytes) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment, '\0');
    tensor_at(name, shape, type, data_.size());
    data_ += bytes;
    return *this;
  }

  /// A row of the table without bytes of its own.
  GgufWriter& tensor_at(const std::string& name, const std::vector<uint64_t>& shape, uint32_t type, uint64_t offset) {
    table_ += gguf_text(name) + gguf_number(static_cast<uint32_t>(shape.size()));
    for (size_t i = shape.size(); i-- > 0;) table_ += gguf_number(shape[i]);
    table_ += gguf_number(type) + gguf_number(offset);
    ++tensor_count_;
    return *this;
  }

  std::string bytes() const {
    std::string file =
        "GGUF" + gguf_number(version) + gguf_number(tensor_count_) + gguf_number(value_count_) + values_ + table_;
    file.resize((file.size() + alignment - 1) / alignment * alignment, '\0');
    return file + data_;
  }

 private:
  std::string values_, table_, data_;
  uint64_t value_count_ = 0, tensor_count_ = 0;
};

}  // namespace assay
