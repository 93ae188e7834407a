// Stretches of a text by their offset, as it reads where the file is unpacked. A plain file costs one read a stretch; a
// Zstandard file is unpacked from its beginning, so stretches in ascending order cost one pass together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "assay/io/byte_stream.h"

namespace assay::io {

class TextFile {
 public:
  /// Error(kind) as ByteStream. `shown` is what messages call the file; empty: its path.
  TextFile(const std::string& path, ErrorKind kind, const std::string& shown = {});

  /// The bytes [offset, offset + bytes), valid until the next call. Error(kind) where the text ends before.
  std::string_view at(uint64_t offset, size_t bytes);

  const FileState& file() const noexcept { return state_; }
  const Source& source() const noexcept { return source_; }

 private:
  void read_plain(uint64_t offset);
  void unpack(uint64_t offset);

  std::string path_;
  Source source_;
  FileState state_;
  FileDescriptor plain_;              // not open where the file is compressed
  std::optional<ByteStream> stream_;  // of a compressed file
  uint64_t position_ = 0;             // of stream_ in the text
  std::string buffer_;
};

}  // namespace assay::io
