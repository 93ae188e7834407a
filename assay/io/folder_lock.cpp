#include "assay/io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "assay/io/source.h"

namespace assay::io {
namespace {

std::string this_process() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return "process " + std::to_string(::getpid()) + " on " + host.data();
}

std::string holder_of(const FileDescriptor& file) {
  std::array<char, 300> text{};
  const ssize_t count = ::pread(file.value(), text.data(), text.size() - 1, 0);
  return count > 0 ? std::string(text.data(), static_cast<size_t>(count)) : "another process";
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) {
  const std::string doing = "locking folder " + quote(folder) + " for writing: ";
  file_ = FileDescriptor(::open((folder + "/" + kFileName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file_.is_open()) {
    throw Error(ErrorKind::Resource,
                doing + "it must be writable, but the system says: " + std::strerror(errno) + "; name another folder");
  }
  int taken = 0;
  do taken = ::flock(file_.value(), LOCK_EX | LOCK_NB);
  while (taken != 0 && errno == EINTR);
  if (taken != 0 && errno == EWOULDBLOCK) {
    throw Error(ErrorKind::Resource, doing + "only one process may write at a time, but " + holder_of(file_) +
                                         " does; wait until it ends or name another folder");
  }
  if (taken != 0) {
    throw Error(ErrorKind::Resource, doing + "its file system must support locks, but it says: " +
                                         std::strerror(errno) + "; name a folder on a local disk");
  }
  // Who holds it only serves the other's message: a disk too full to say so does not take the lock away.
  const std::string holder = this_process();
  if (::ftruncate(file_.value(), 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(file_.value(), holder.data(), holder.size(), 0);
  }
}

}  // namespace assay::io
