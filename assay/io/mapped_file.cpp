#include "assay/io/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "assay/core/twin.h"
#include "assay/io/file_descriptor.h"
#include "assay/io/source.h"

namespace assay::io {

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path, ErrorKind kind) {
  FileState state;
  const FileDescriptor file = open_for_reading(path, kind, &state);
  const uint64_t size = state.bytes;
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.value(), 0);
  if (start == MAP_FAILED) {
    Source{.name = path, .kind = ErrorKind::Resource}.refuse(
        "its " + std::to_string(size) + " bytes must be mapped into memory, but the system says: " +
        std::strerror(errno) + "; close other programs, or raise the limit on address space (ulimit -v)");
  }
  return std::shared_ptr<const MappedFile>(new MappedFile({static_cast<const std::byte*>(start), size}));
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void release_pages(std::span<const std::byte> bytes) noexcept {
  if (ASSAY_TWIN("io.pages_kept")) return;
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t first = (begin + page - 1) / page * page, last = (begin + bytes.size()) / page * page;
  // Where the system refuses, the pages stay: that costs memory and nothing else.
  if (first < last) ::madvise(const_cast<std::byte*>(bytes.data()) + (first - begin), last - first, MADV_DONTNEED);
}

void release_pages(const Array& array) noexcept {
  if (array.is_mapped) release_pages(array.bytes);
}

}  // namespace assay::io
