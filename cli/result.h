// The result folder of a command: one run, one folder. `run.json` names the run that owns it, `result.json` says what
// came out and how (docs/results.md lists its keys), arrays lie beside it in safetensors, `report.html` is for people.
// Every file is written beside its place and renamed into it, so that a reader never sees half a file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/common_options.h"
#include "cli/invocation.h"

namespace assay::cli {

/// Writes `bytes` to `path` through a temporary file, fsync and rename. Errors: Resource (read-only, disk full), with
/// nothing left of the old file's content lost.
void write_file(const std::string& path, std::string_view bytes);

/// Holds the lock of a result folder for its life.
class ResultFolder {
 public:
  /// Creates or reopens `path` for the run that `identity` describes: a hash over everything that determines its
  /// result (options, inputs, seed, version), never the time. Errors: Resource when another process writes there or it
  /// cannot be written; Usage when it holds another run or foreign files and `force` is not set.
  ResultFolder(std::string path, const Invocation& invocation, const std::string& identity);
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// True when the folder already belonged to this run: parts of it may be there to be used again.
  bool reopened() const { return reopened_; }
  /// True when that run had already finished: result.json is there.
  bool finished() const;

  void write(std::string_view name, std::string_view bytes) const { write_file(file(name), bytes); }

 private:
  std::string path_;
  int lock_ = -1;
  bool reopened_ = false;
};

/// The head of every result: {"assay", "command", "arguments", "seed", "threads", "precision", "device", "processor"}.
nlohmann::ordered_json result_head(const Invocation& invocation);

/// Prints `result` as the one JSON object of --json.
void print_json(const nlohmann::ordered_json& result);

}  // namespace assay::cli
