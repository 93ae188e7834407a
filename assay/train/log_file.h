// log.jsonl of a run: one JSON object a step, appended as the run goes, so that it can be watched. A run that was
// killed leaves lines of steps that it will take again; they are cut off when it goes on.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "assay/train/loop.h"

namespace assay::train {

/// The steps of a log in their order, up to the first line that is not whole; none where there is no file.
std::vector<StepLog> read_log(const std::string& path);

class LogFile {
 public:
  /// Keeps the lines of the first `steps` steps of `path` and goes on after them. Error(Resource) where the file cannot
  /// be written.
  LogFile(const std::string& path, int64_t steps);

  void add(const StepLog& log);

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace assay::train
