#include "assay/io/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "assay/io/file_descriptor.h"
#include "assay/io/source.h"

namespace assay::io {
namespace {

constexpr size_t kChunk = size_t{1} << 18;

[[noreturn]] void fail(const std::string& path) {
  throw Error(ErrorKind::Resource, "keeping standard input in " + quote(path) +
                                       ": the temporary folder must take it, but the " +
                                       "system says: " + std::strerror(errno) + "; set TMPDIR to a folder with room");
}

void write_all(int file, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) fail(path);
    if (count > 0) bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

/// Copies everything and returns how much it was.
uint64_t copy_all(const FileDescriptor& from, const FileDescriptor& to, const std::string& path) {
  std::vector<std::byte> buffer(kChunk);
  uint64_t total = 0;
  while (const size_t count = read_some(from, buffer, "standard input", ErrorKind::Data)) {
    write_all(to.value(), std::span(buffer).first(count), path);
    total += count;
  }
  return total;
}

}  // namespace

SpooledInput::SpooledInput(int descriptor) {
  std::error_code missing;
  path_ = (std::filesystem::temp_directory_path(missing) / "assay-input-XXXXXX").string();
  const FileDescriptor to(::mkostemp(path_.data(), O_CLOEXEC));
  if (!to.is_open()) fail(path_);
  try {
    const FileDescriptor from(::dup(descriptor));
    if (copy_all(from, to, path_) == 0) {
      Source{.name = "standard input"}.refuse(
          "it must hold text, but it was empty; pipe a corpus into it or name a file");
    }
  } catch (...) {
    ::unlink(path_.c_str());
    throw;
  }
}

SpooledInput::~SpooledInput() {
  ::unlink(path_.c_str());
}

}  // namespace assay::io
