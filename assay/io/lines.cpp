#include "assay/io/lines.h"

#include <algorithm>
#include <utility>

#include "assay/core/twin.h"
#include "assay/io/utf8.h"

namespace assay::io {
namespace {

constexpr size_t kChunk = size_t{1} << 17;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

PieceReader::PieceReader(const std::string& path, std::string separator, ErrorKind kind, const std::string& shown,
                         size_t most_bytes)
    : stream_(path, kind, shown), separator_(std::move(separator)), most_bytes_(most_bytes) {
  ASSAY_ASSERT(!separator_.empty());
  while (buffer_.size() < kByteOrderMark.size() && refill()) {
  }
  if (buffer_.starts_with(kByteOrderMark)) begin_ = kByteOrderMark.size();
}

/// Moves what is left to the front of the buffer and appends a chunk; false at the end of the text.
bool PieceReader::refill() {
  buffer_.erase(0, begin_);
  buffer_offset_ += begin_;
  begin_ = 0;
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kChunk);
  const size_t count = stream_.read(std::span(buffer_).subspan(kept));
  buffer_.resize(kept + count);
  return count > 0;
}

std::string_view PieceReader::hand_out(size_t length, size_t skip) {
  offset_ = buffer_offset_ + begin_;
  ++number_;
  const std::string_view piece = std::string_view(buffer_).substr(begin_, length);
  require_utf8(piece, offset_, stream_.source());
  begin_ += length + skip;
  return piece;
}

StreamMark PieceReader::mark() const {
  return {buffer_offset_ + begin_, number_, stream_.consumed(), stream_.digest()};
}

void PieceReader::skip_to(const StreamMark& mark) {
  ASSAY_ASSERT(number_ == 0);
  // The same steps as the reader that was marked, so that the bytes of the file end where its own did.
  while (buffer_offset_ + buffer_.size() < mark.offset || stream_.consumed() < mark.consumed) {
    if (mark.offset > buffer_offset_) begin_ = std::min<size_t>(buffer_.size(), mark.offset - buffer_offset_);
    if (!refill()) break;
  }
  const bool is_same = stream_.consumed() == mark.consumed && stream_.digest() == mark.digest;
  if (!is_same && !ASSAY_TWIN("io.marks_of_another_file_fit")) {
    stream_.source().refuse(
        "its first " + std::to_string(mark.consumed) +
        " bytes must be those that were read before, but they have changed; put the file back as it "
        "was, or begin again");
  }
  begin_ = mark.offset - buffer_offset_;
  number_ = mark.number;
}

std::optional<std::string_view> PieceReader::next() {
  size_t searched = 0;  // bytes after begin_ in which no separator begins
  while (true) {
    const size_t found = buffer_.find(separator_, begin_ + searched);
    if (found != std::string::npos) return hand_out(found - begin_, separator_.size());
    const size_t pending = buffer_.size() - begin_;
    if (pending > most_bytes_) {
      const std::string shown = separator_ == "\n" ? "a line end" : quote(separator_);
      stream_.source().refuse("a piece of text must be at most " + std::to_string(most_bytes_) +
                              " bytes long, but the one at byte " + std::to_string(buffer_offset_ + begin_) +
                              " is longer; is " + shown + " the right separator?");
    }
    // A separator may begin in this chunk and end in the next.
    const size_t overlap = ASSAY_TWIN("io.separator_split_by_chunks_missed") ? 0 : separator_.size() - 1;
    searched = pending - std::min(pending, overlap);
    if (refill()) continue;
    if (buffer_.empty()) return std::nullopt;
    return hand_out(buffer_.size(), 0);
  }
}

}  // namespace assay::io
