// An open file that closes itself, and the one place where a file is opened for reading: it says what is wrong with a
// name before anybody reads from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "assay/core/error.h"

namespace assay::io {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int value) noexcept : value_(value) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }

  int value() const noexcept { return value_; }
  bool is_open() const noexcept { return value_ >= 0; }
  void reset() noexcept;

 private:
  int value_ = -1;
};

/// By what a file is seen to be another one than before, without reading it.
struct FileState {
  uint64_t bytes = 0;
  int64_t modified = 0;  ///< nanoseconds since 1970

  bool operator==(const FileState&) const = default;
};

/// The state of a file now; nothing where there is no plain file of that name.
std::optional<FileState> state_of(const std::string& path) noexcept;

/// A plain file with at least one byte. Error(kind) where there is no such file (the nearest names of its folder are
/// offered), where it is a folder, a pipe or a device, empty, or not readable. `state`, where given, gets what it is
/// now.
FileDescriptor open_for_reading(const std::string& path, ErrorKind kind, FileState* state = nullptr);

/// Reads up to buffer.size() bytes from where the file stands; fewer only at its end. `name` is for Error(kind).
size_t read_some(const FileDescriptor& file, std::span<std::byte> buffer, const std::string& name, ErrorKind kind);

}  // namespace assay::io
