// The result folder of a command: one run, one folder. `run.json` names the run that owns it, `result.json` says what
// came out and how, arrays lie beside it in safetensors, `report.html` is for people. Every file is written beside its
// place and renamed into it, so that a reader never sees half a file.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "cli/commands.h"

namespace assay::cli {

/// The folder in it that holds what an interrupted run has done, and goes when the run is done.
inline constexpr const char* kUnfinished = "unfinished";

/// Holds the lock of a result folder for its life.
class ResultFolder {
 public:
  /// Creates or reopens `path` for the run that `identity` names: a hash over everything that determines its result
  /// (options, inputs, seed, version), never the time. With --force whatever run it held is removed first, this one
  /// too. Errors: Resource when another process writes there or the folder cannot be written; Usage when it holds
  /// another run and --force is not given, or files that are no run of Assay's (those are never touched).
  ResultFolder(std::string path, const Invocation& invocation, const std::string& identity);
  ~ResultFolder();
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// True when the folder already belonged to this run: parts of it may be there to be used again.
  bool reopened() const { return reopened_; }
  /// True when that run has finished: its result.json is there.
  bool finished() const;
  /// Bytes of all files in it that stay, what cost.actual.disk_bytes says.
  int64_t bytes() const;

  /// Writes a file of the folder whole or not at all.
  void write(std::string_view name, std::string_view bytes) const;
  /// Writes result.json. Last of all files: its presence says that the run has finished.
  void write_result(const nlohmann::ordered_json& result) const;

 private:
  void lock();
  void claim(const Invocation& invocation, const std::string& identity);

  std::string path_;
  int lock_ = -1;
  bool reopened_ = false;
};

/// The folder of --out, where one is given, claimed for the run that `identity` names. Called before the work: a folder
/// that will not take the result must not cost the result.
std::optional<ResultFolder> claim_out(const Session& session, const std::string& identity);

}  // namespace assay::cli
