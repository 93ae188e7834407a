// The bytes of a file in order, unpacked on the way where it is compressed with Zstandard (recognised by its first four
// bytes, whatever the file is called), and hashed as they lie on the disk. Memory: two buffers of 128 KiB and zstd's
// window (at most 128 MiB, usually 8).
#pragma once

#include <memory>
#include <span>
#include <string>

#include "assay/io/file_descriptor.h"
#include "assay/io/source.h"

namespace assay::io {

class ByteStream {
 public:
  /// Error(kind) as open_for_reading. `shown` is what messages call the file; empty: its path.
  ByteStream(const std::string& path, ErrorKind kind, const std::string& shown = {});
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept;
  ByteStream& operator=(ByteStream&&) noexcept;

  /// Fills as much of `buffer` as there is, at least one byte unless the end is reached; returns how much. Error(kind)
  /// where compressed bytes are damaged or end early, or the file ends before or after its size at the beginning.
  size_t read(std::span<char> buffer);

  const Source& source() const noexcept;
  bool is_compressed() const noexcept;

  /// The file as it was when it was opened; its bytes (compressed or not) that were taken so far, and their XXH3-128.
  const FileState& file() const noexcept;
  uint64_t consumed() const noexcept;
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay::io
