#include "assay/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "assay/core/error.h"
#include "assay/io/source.h"

namespace assay::io {
namespace {

constexpr std::string_view kMark = ".partial-";  // then the process id, so that two writers never share a file

int without_interruption(auto&& call) {
  int result = 0;
  do result = static_cast<int>(call());
  while (result < 0 && errno == EINTR);
  return result;
}

std::string what_to_do(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "the disk is full; free some space and run the same command again";
    case EFBIG:
      return "the file would exceed the size that this process may write; raise the limit (ulimit -f) and try again";
    case EROFS: return "the disk is read-only; name another folder";
    case EACCES:
    case EPERM: return "this user may not write there; name another folder";
    case ENOENT: return "its folder does not exist; create it first";
    case EISDIR: return "a folder of this name is in the way; name another file";
    default: return std::string("the system says: ") + std::strerror(error);
  }
}

}  // namespace

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(path_ + std::string(kMark) + std::to_string(::getpid())) {
  file_ = FileDescriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file_.is_open()) fail(errno);
}

AtomicFile::~AtomicFile() {
  if (file_.is_open()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(int error) const {
  throw Error(ErrorKind::Resource,
              "writing " + quote(path_) + ": its bytes must reach the disk, but " + what_to_do(error));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  hasher_.add(bytes);
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.value(), bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) fail(errno);
    if (count > 0) bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

FileDigest AtomicFile::commit() {
  if (without_interruption([&] { return ::fsync(file_.value()); }) != 0) fail(errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  file_.reset();
  const std::string folder = std::filesystem::path(path_).parent_path().string();
  const FileDescriptor handle(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A folder that may be written but not listed cannot be flushed: the rename still reaches the disk in its time.
  if (handle.is_open()) without_interruption([&] { return ::fsync(handle.value()); });
  return {bytes_, hasher_.digest128()};
}

bool AtomicFile::is_leftover(std::string_view file_name) {
  const size_t mark = file_name.rfind(kMark);
  if (mark == std::string_view::npos || mark == 0) return false;
  const std::string_view process = file_name.substr(mark + kMark.size());
  return !process.empty() && std::all_of(process.begin(), process.end(), [](char c) { return c >= '0' && c <= '9'; });
}

void write_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace assay::io
