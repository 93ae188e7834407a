#include "assay/io/file_descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "assay/core/near_match.h"
#include "assay/io/source.h"

namespace assay::io {
namespace {

namespace fs = std::filesystem;

std::string nearest_files(const fs::path& path) {
  std::error_code ignored;
  std::vector<std::string> names;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    names.push_back(entry->path().filename().string());
  }
  return closest_clause(path.filename().string(), names);
}

}  // namespace

void FileDescriptor::reset() noexcept {
  if (value_ >= 0) ::close(value_);
  value_ = -1;
}

FileDescriptor open_for_reading(const std::string& path, ErrorKind kind, uint64_t* size) {
  const Source source{.name = path, .kind = kind};
  // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open() && (errno == ENOENT || errno == ENOTDIR)) {
    source.refuse("the file must exist, but there is none of this name" + nearest_files(path));
  }
  if (!file.is_open())
    source.refuse(std::string("the file must be readable, but the system says: ") + std::strerror(errno));

  struct stat facts {};
  if (::fstat(file.value(), &facts) != 0) {
    source.refuse(std::string("the file must be readable, but the system says: ") + std::strerror(errno));
  }
  if (S_ISDIR(facts.st_mode)) source.refuse("a file is needed, but this is a folder; name a file in it");
  if (!S_ISREG(facts.st_mode)) {
    source.refuse("a plain file is needed, but this is a device, a pipe or a socket; copy it to a file first");
  }
  if (facts.st_size == 0) source.refuse("the file must not be empty, but it has 0 bytes; was a download cut off?");
  if (size != nullptr) *size = static_cast<uint64_t>(facts.st_size);
  return file;
}

size_t read_some(const FileDescriptor& file, std::span<std::byte> buffer, const std::string& name, ErrorKind kind) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t count = ::read(file.value(), buffer.data() + filled, buffer.size() - filled);
    if (count == 0) break;
    if (count > 0) {
      filled += static_cast<size_t>(count);
    } else if (errno != EINTR) {
      Source{.name = name, .kind = kind}.refuse(std::string("the file must stay readable, but the system says: ") +
                                                std::strerror(errno));
    }
  }
  return filled;
}

}  // namespace assay::io
