// Text read piece by piece: lines, or documents between separators, from a plain or Zstandard file. Memory is bounded
// by the longest piece. Pieces are handed out exactly as they stand, checked to be UTF-8; a byte order mark is dropped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "assay/io/byte_stream.h"

namespace assay::io {

/// Where a reader stands between two pieces: enough for another reader to go on from there, and to see whether the file
/// is still the one that was read.
struct StreamMark {
  uint64_t offset = 0;    ///< of the next piece in the unpacked text
  int64_t number = 0;     ///< pieces handed out so far
  uint64_t consumed = 0;  ///< bytes of the file, compressed or not, that were taken for them
  std::string digest;     ///< XXH3-128 of these bytes
};

class PieceReader {
 public:
  /// `separator` is not empty. `shown` is what messages call the file; empty: its path. A piece of more than
  /// `most_bytes` is refused: without separators a file would fill memory.
  PieceReader(const std::string& path, std::string separator, ErrorKind kind, const std::string& shown = {},
              size_t most_bytes = size_t{1} << 28);

  /// The next piece without its separator, valid until the next call; nothing at the end. Text after the last separator
  /// is a piece unless it is empty. Error(kind) by byte offset where the text is not UTF-8.
  std::optional<std::string_view> next();

  /// Of the piece that was returned last: which one it is, counted from 1, and the byte of the unpacked text at which
  /// it begins.
  int64_t number() const noexcept { return number_; }
  uint64_t offset() const noexcept { return offset_; }

  StreamMark mark() const;
  /// Goes on at a mark of another reader of this file, before the first piece is asked for. The bytes before it are
  /// read again, at the speed of the disk, and Error(kind) where they are not those that were marked.
  void skip_to(const StreamMark& mark);

  const ByteStream& stream() const noexcept { return stream_; }

 private:
  bool refill();
  std::string_view hand_out(size_t length, size_t skip);

  ByteStream stream_;
  std::string separator_;
  size_t most_bytes_;
  std::string buffer_;
  size_t begin_ = 0;            // of what was not handed out yet, in buffer_
  uint64_t buffer_offset_ = 0;  // of buffer_[0] in the text
  int64_t number_ = 0;
  uint64_t offset_ = 0;
};

/// Lines end with "\n"; a "\r" before it belongs to the line end.
class LineReader {
 public:
  LineReader(const std::string& path, ErrorKind kind, const std::string& shown = {})
      : pieces_(path, "\n", kind, shown) {}

  std::optional<std::string_view> next() {
    std::optional<std::string_view> line = pieces_.next();
    if (line && line->ends_with('\r')) line->remove_suffix(1);
    return line;
  }
  int64_t number() const noexcept { return pieces_.number(); }
  uint64_t offset() const noexcept { return pieces_.offset(); }

  PieceReader& pieces() noexcept { return pieces_; }
  const PieceReader& pieces() const noexcept { return pieces_; }

 private:
  PieceReader pieces_;
};

}  // namespace assay::io
