// A file that appears whole or not at all: written under a temporary name in the same folder, flushed to the disk, then
// renamed over the final name, and the folder flushed too. A crash at any moment leaves the old file or the new one; a
// disk that fills up or a folder that may not be written is one sentence, and the old file stays.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "assay/core/hash.h"
#include "assay/io/file_descriptor.h"

namespace assay::io {

/// What a written file is known by.
struct FileDigest {
  uint64_t bytes = 0;
  std::string hash;  ///< XXH3-128, as hash_file gives it
};

class AtomicFile {
 public:
  /// Begins to write `path`. Error(Resource) where its folder is missing, read-only or not ours.
  explicit AtomicFile(std::string path);

  /// Removes what was written, unless it was committed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Error(Resource) where the disk is full or the system refuses for another reason.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Makes the file appear. After it the bytes survive a loss of power.
  FileDigest commit();

  /// Whether a file name is one that an interrupted write leaves behind.
  static bool is_leftover(std::string_view file_name);

 private:
  [[noreturn]] void fail(int error) const;

  std::string path_;
  std::string temporary_;
  FileDescriptor file_;
  uint64_t bytes_ = 0;
  Hasher hasher_;
};

/// A whole file at once. Error(Resource) as AtomicFile.
void write_file(const std::string& path, std::string_view text);

}  // namespace assay::io
