// Standard input, or any pipe, as a file: what is read once can then be read as often as a job needs.
#pragma once

#include <string>

namespace assay::io {

/// A temporary file that holds everything a descriptor gave until its end; removed with the object.
class SpooledInput {
 public:
  /// Reads `descriptor` (0: standard input) to its end. Error(Resource) where the temporary folder ($TMPDIR) is full,
  /// Error(Data) where there was nothing to read.
  explicit SpooledInput(int descriptor = 0);
  ~SpooledInput();
  SpooledInput(const SpooledInput&) = delete;
  SpooledInput& operator=(const SpooledInput&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

}  // namespace assay::io
