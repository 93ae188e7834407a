#include "assay/io/byte_stream.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "assay/core/hash.h"
#include "assay/core/twin.h"

namespace assay::io {
namespace {

constexpr uint32_t kZstdMagic = 0xFD2FB528;
constexpr uint32_t kSkippableMagic = 0x184D2A50;  // and the fifteen after it: frames that hold no text

}  // namespace

struct ByteStream::State {
  Source source;
  FileDescriptor file;
  std::vector<std::byte> packed = std::vector<std::byte>(ZSTD_DStreamInSize());
  ZSTD_inBuffer input{packed.data(), 0, 0};
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> zstd{nullptr, &ZSTD_freeDStream};
  bool inside_frame = false;
  FileState opened_as;
  uint64_t consumed = 0;
  Hasher hasher;

  void refill() {
    const size_t count = read_some(file, packed, source.name, source.kind);
    consumed += count;
    hasher.add(std::span(packed).first(count));
    if (count < packed.size()) require_whole();
    input = {packed.data(), count, 0};
  }

  /// At the end of the file: somebody who writes to it meanwhile would leave half a corpus, or one without a hash.
  void require_whole() const {
    if (consumed == opened_as.bytes || ASSAY_TWIN("io.shrunken_file_is_whole")) return;
    source.refuse("the file must stay as it is while it is read, but it had " + std::to_string(opened_as.bytes) +
                  " bytes at first and now ends after " + std::to_string(consumed) +
                  "; wait until nothing writes to it, then start again");
  }

  size_t copy(std::span<char> buffer) {
    if (input.pos == input.size) refill();
    const size_t count = std::min(buffer.size(), input.size - input.pos);
    std::memcpy(buffer.data(), packed.data() + input.pos, count);
    input.pos += count;
    return count;
  }

  size_t unpack(std::span<char> buffer) {
    ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
    while (output.pos == 0) {
      if (input.pos == input.size) refill();
      const bool ended = input.size == 0;
      if (ended && !inside_frame) break;
      const size_t before = input.pos;
      const size_t hint = ZSTD_decompressStream(zstd.get(), &output, &input);
      if (ZSTD_isError(hint) != 0) {
        source.refuse(std::string("the compressed text must be whole Zstandard frames, but: ") +
                      ZSTD_getErrorName(hint) + "; fetch the file again");
      }
      inside_frame = hint != 0;
      if (ended && output.pos == 0 && input.pos == before) {
        source.refuse(
            "the compressed text must be whole Zstandard frames, but it ends inside one; fetch the file again");
      }
    }
    return output.pos;
  }
};

ByteStream::ByteStream(const std::string& path, ErrorKind kind, const std::string& shown)
    : state_(std::make_unique<State>()) {
  state_->source = {.name = shown.empty() ? path : shown, .kind = kind};
  state_->file = open_for_reading(path, kind, &state_->opened_as);
  state_->refill();
  uint32_t magic = 0;
  if (state_->input.size >= sizeof(magic)) std::memcpy(&magic, state_->packed.data(), sizeof(magic));
  if (magic == kZstdMagic || (magic & ~uint32_t{15}) == kSkippableMagic) {
    state_->zstd.reset(ZSTD_createDStream());
  } else if (path.ends_with(".zst") && !ASSAY_TWIN("io.any_file_is_zstandard")) {
    state_->source.refuse(
        "a .zst file must be compressed with Zstandard, but this one is not; compress it with zstd, or take .zst from "
        "its name");
  }
}

ByteStream::~ByteStream() = default;
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;

size_t ByteStream::read(std::span<char> buffer) {
  return state_->zstd ? state_->unpack(buffer) : state_->copy(buffer);
}

const Source& ByteStream::source() const noexcept {
  return state_->source;
}

bool ByteStream::is_compressed() const noexcept {
  return state_->zstd != nullptr;
}

const FileState& ByteStream::file() const noexcept {
  return state_->opened_as;
}

uint64_t ByteStream::consumed() const noexcept {
  return state_->consumed;
}

std::string ByteStream::digest() const {
  return state_->hasher.digest128();
}

}  // namespace assay::io
