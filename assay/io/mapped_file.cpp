#include "assay/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "assay/core/near_match.h"

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

class Descriptor {
 public:
  explicit Descriptor(const char* path) : value_(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int value() const noexcept { return value_; }

 private:
  int value_;
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::string& path, ErrorKind kind) {
  const std::string doing = "reading \"" + path + "\": ";
  const Descriptor file(path.c_str());
  if (file.value() < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    throw Error(kind, doing + "the file must exist, but there is none of this name" + nearest_files(path));
  }
  if (file.value() < 0)
    throw Error(kind, doing + "the file must be readable, but the system says: " + std::strerror(errno));

  struct stat facts {};
  if (::fstat(file.value(), &facts) != 0) throw Error(ErrorKind::Resource, doing + std::strerror(errno));
  if (S_ISDIR(facts.st_mode)) throw Error(kind, doing + "a file is needed, but this is a folder; name a file in it");
  if (!S_ISREG(facts.st_mode)) {
    throw Error(kind,
                doing + "a plain file is needed, but this is a device, a pipe or a socket; copy it to a file first");
  }
  if (facts.st_size == 0)
    throw Error(kind, doing + "the file must not be empty, but it has 0 bytes; was a download cut off?");

  const size_t size = static_cast<size_t>(facts.st_size);
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.value(), 0);
  if (start == MAP_FAILED) {
    throw Error(ErrorKind::Resource, doing + "its " + std::to_string(size) +
                                         " bytes must be mapped into memory, but the " +
                                         "system says: " + std::strerror(errno));
  }
  return std::shared_ptr<const MappedFile>(new MappedFile({static_cast<const std::byte*>(start), size}));
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace assay::io
