#include "assay/io/text_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace assay::io {
namespace {

constexpr size_t kSkipped = size_t{1} << 17;

[[noreturn]] void refuse_short(const Source& source, uint64_t end) {
  source.refuse("the text must be at least " + std::to_string(end) +
                " bytes long, as it was when it was read before, but it ends before; put the file back as it was");
}

}  // namespace

TextFile::TextFile(const std::string& path, ErrorKind kind, const std::string& shown)
    : path_(path), stream_(std::in_place, path, kind, shown) {
  source_ = stream_->source();
  state_ = stream_->file();
  if (stream_->is_compressed()) return;
  stream_.reset();
  plain_ = open_for_reading(path, kind);
}

std::string_view TextFile::at(uint64_t offset, size_t bytes) {
  buffer_.resize(bytes);
  if (plain_.is_open())
    read_plain(offset);
  else
    unpack(offset);
  return buffer_;
}

void TextFile::read_plain(uint64_t offset) {
  for (size_t filled = 0; filled < buffer_.size();) {
    const ssize_t count =
        ::pread(plain_.value(), buffer_.data() + filled, buffer_.size() - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) refuse_short(source_, offset + buffer_.size());
    filled += static_cast<size_t>(count);
  }
}

void TextFile::unpack(uint64_t offset) {
  if (offset < position_) {
    stream_.emplace(path_, source_.kind, source_.name);
    position_ = 0;
  }
  const auto read = [&](std::span<char> into) {
    const size_t count = stream_->read(into);
    if (count == 0) refuse_short(source_, offset + buffer_.size());
    position_ += count;
    return count;
  };
  std::vector<char> skipped(offset > position_ ? kSkipped : 0);
  while (position_ < offset) read(std::span(skipped).first(std::min<size_t>(skipped.size(), offset - position_)));
  for (size_t filled = 0; filled < buffer_.size();) filled += read(std::span(buffer_).subspan(filled));
}

}  // namespace assay::io
