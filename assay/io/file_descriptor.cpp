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

/// Says of a name that nothing stands behind what can be done about it.
[[noreturn]] void refuse_absent(const fs::path& path, const Source& source) {
  std::error_code ignored;
  if (fs::is_symlink(path, ignored)) {
    source.refuse("the file must exist, but this is a link to " + quote(fs::read_symlink(path, ignored).string()) +
                  ", where there is none; mend the link or name the file itself");
  }
  std::vector<std::string> names;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    names.push_back(entry->path().filename().string());
  }
  const std::string closest = closest_clause(path.filename().string(), names);
  source.refuse("the file must exist, but there is none of this name" +
                (closest.empty() ? "; check the path" : closest));
}

[[noreturn]] void refuse_unreadable(const std::string& verb, const Source& source) {
  source.refuse("the file must " + verb + " readable, but the system says: " + std::strerror(errno) +
                "; check its permissions and its disk");
}

FileState read_state(const struct stat& facts) {
  return {.bytes = static_cast<uint64_t>(facts.st_size),
          .modified = int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec};
}

}  // namespace

void FileDescriptor::reset() noexcept {
  if (value_ >= 0) ::close(value_);
  value_ = -1;
}

std::optional<FileState> state_of(const std::string& path) noexcept {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  return read_state(facts);
}

FileDescriptor open_for_reading(const std::string& path, ErrorKind kind, FileState* state) {
  const Source source{.name = path, .kind = kind};
  // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open() && (errno == ENOENT || errno == ENOTDIR)) {
    refuse_absent(path, source);
  }
  if (!file.is_open()) refuse_unreadable("be", source);

  struct stat facts {};
  if (::fstat(file.value(), &facts) != 0) refuse_unreadable("be", source);
  if (S_ISDIR(facts.st_mode)) source.refuse("a file is needed, but this is a folder; name a file in it");
  if (!S_ISREG(facts.st_mode)) {
    source.refuse("a plain file is needed, but this is a device, a pipe or a socket; copy it to a file first");
  }
  if (facts.st_size == 0) source.refuse("the file must not be empty, but it has 0 bytes; was a download cut off?");
  if (state != nullptr) *state = read_state(facts);
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
      refuse_unreadable("stay", {.name = name, .kind = kind});
    }
  }
  return filled;
}

}  // namespace assay::io
