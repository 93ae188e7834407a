// One writer a folder. The lock is the system's (flock on a file ".lock" in the folder), so that it falls with the
// process that holds it, however that process ends; the file says who holds it.
#pragma once

#include <string>

#include "assay/io/file_descriptor.h"

namespace assay::io {

class FolderLock {
 public:
  /// Takes the lock of an existing folder. Error(Resource) where another process holds it (named with its host) or the
  /// folder may not be written.
  explicit FolderLock(const std::string& folder);

  /// The name of the lock's file, which stays behind.
  static constexpr const char* kFileName = ".lock";

 private:
  FileDescriptor file_;
};

}  // namespace assay::io
