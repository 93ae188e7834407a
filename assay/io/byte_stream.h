// The bytes of a file in order, unpacked on the way where it is compressed with Zstandard (recognised by its first four
// bytes, whatever the file is called). Memory: two buffers of 128 KiB and zstd's window (at most 128 MiB, usually 8).
#pragma once

#include <memory>
#include <span>
#include <string>

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
  /// where compressed bytes are damaged or end early.
  size_t read(std::span<char> buffer);

  const Source& source() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay::io
