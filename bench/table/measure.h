// What is kept of one measured stage, and the clock that fills it in: wall seconds, the highest resident memory of that
// stage alone, and how much of the machine other programs took meanwhile.
#pragma once

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "assay/core/plan.h"
#include "assay/core/progress.h"

namespace assay::bench {

struct Row {
  std::string workload = {}, dtype = {}, stage = {};
  std::vector<double> seconds = {};   ///< of each run
  double tokens = 0;                  ///< walked in one run; 0: the time does not depend on them
  Cost counted = {};                  ///< the operations and bytes that the stage cannot do without
  int64_t peak_bytes = 0;             ///< resident, libraries in full; the highest of all runs
  int64_t disk_bytes = 0;             ///< kept when it is done
  std::vector<double> ceilings = {};  ///< FLOP/s in float32 right after each run, of a bare pass
  double cpu_seconds = 0;             ///< of this process, in the fastest run
  double other_load = 0;              ///< cores that other programs took meanwhile

  double best() const;
  /// The counted operations of a run against the ceiling that was measured right after it, the median of the runs: a
  /// shared machine changes by the minute. None without ceilings.
  std::optional<double> share_of_ceiling() const;
};

nlohmann::json to_json(const Row& row);
Row row_from(const nlohmann::json& json);

/// Stages one after another, each from its beginning to that of the next, so that nothing is left out. As a Progress it
/// takes the stages of a job as the job names them. A stage that comes again within one run adds to itself.
class Laps final : public Progress {
 public:
  void lap(const std::string& stage);  ///< ends the one before
  void stop();                         ///< ends the last one, and the run
  void time(const std::string& stage, const std::function<void()>& work);

  void begin(std::string_view stage, int64_t, std::string_view) override { lap(std::string(stage)); }
  void advance(int64_t) override {}
  void end() override {}
  void note(std::string_view) override {}

  /// In the order in which the stages first began; tokens and counts are for the caller to fill in.
  const std::vector<Row>& rows() const { return rows_; }

 private:
  struct Reading {
    std::chrono::steady_clock::time_point wall;
    double own_cpu = 0, all_cpu = 0;  // busy seconds of this process, of the machine
  };
  struct Run {
    double seconds = 0, cpu = 0, other_cpu = 0;
  };
  static Reading read();
  void close();
  Row& row_of(const std::string& stage);

  std::vector<Row> rows_;
  std::vector<std::pair<std::string, Run>> run_;  // stages of the run that goes on
  std::string open_;
  Reading since_;
};

/// Bytes of the files below a folder.
int64_t bytes_on_disk(const std::string& folder);

}  // namespace assay::bench
