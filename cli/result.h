// The result folder of a command: one run, one folder. `run.json` names the run that owns it, `result.json` says what
// came out and how (docs/results.md lists its keys), arrays lie beside it in safetensors, `report.html` is for people.
// Every file is written beside its place and renamed into it, so that a reader never sees half a file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "assay/core/plan.h"
#include "cli/commands.h"

namespace assay::cli {

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

  /// Writes a file of the folder whole or not at all.
  void write(std::string_view name, std::string_view bytes) const;

 private:
  void lock();
  void claim(const Invocation& invocation, const std::string& identity);

  std::string path_;
  int lock_ = -1;
  bool reopened_ = false;
};

/// The head of every result: assay, command, arguments, seed, threads, dtype, device, processor, LibTorch.
nlohmann::ordered_json result_head(const Invocation& invocation);

/// "assay attribute model/ …", quoted so that it can be typed again.
std::string shell_line(const Invocation& invocation);

/// {"planned": {seconds, peak_bytes, disk_bytes, stages}, "actual": {seconds, peak_bytes}}. `seconds` is the run's
/// time.
nlohmann::ordered_json cost_report(const Plan& plan, double seconds);

/// Keeps `result` in the folder of --out, where one is given, as the run that `identity` names.
void keep_result(const Session& session, const std::string& identity, const nlohmann::ordered_json& result);

/// Prints `result` as the one JSON object of --json.
void print_json(const nlohmann::ordered_json& result);

/// With --plan: prints the plan (a table, or JSON with --json) and returns true: the command stops there. Without:
/// notes plans of more than ten minutes, with `advice` on how to make them shorter ("--limit 500 makes it shorter"),
/// and returns false; throws Error(Resource) where the plan's memory exceeds --memory.
bool stops_at_plan(const Session& session, const Plan& plan, const std::string& advice);
/// The same for a command of one short stage, which measures the machine's ceilings only when it is asked for a plan.
bool stops_at_plan(const Session& session, const std::string& stage, const Cost& cost);

/// What makes a plan over this many documents last ten minutes: "--limit 500 would take about ten minutes". Time grows
/// with the documents; a share that does not (eigendecompositions) makes the number a little too large.
std::string shorter_by_limit(const Plan& plan, int64_t documents);

/// The folder of --cache, or the default one.
std::string cache_folder(const std::string& given);

}  // namespace assay::cli
