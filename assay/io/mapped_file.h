// A file as a span of bytes, mapped read-only in meaning: pages are private and copied on write, so that a tensor on
// top of a map may be changed in place without touching the file. Costs address space, not memory, until pages are
// read; pages that were read and are done with are given back by release_pages.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "assay/core/error.h"
#include "assay/io/array.h"

namespace assay::io {

class MappedFile {
 public:
  /// Maps a whole file. Error(kind) where there is no such file (the nearest names of its folder are offered), where it
  /// is a folder or not a plain file, empty, or not readable. The file must not be shortened while it is mapped.
  static std::shared_ptr<const MappedFile> open(const std::string& path, ErrorKind kind);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

/// Gives the memory of `bytes` of a mapped file back, whole pages of it: what has been read counts as held by this
/// process until then. Read again, they come from the file again; what was changed in place is lost. The ends, whose
/// pages neighbours share, stay.
void release_pages(std::span<const std::byte> bytes) noexcept;
/// The same of an array; nothing where its bytes are in memory of their own.
void release_pages(const Array& array) noexcept;

}  // namespace assay::io
