// Everything that one sitting measured, and the numbers that follow from it.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "assay/core/plan.h"
#include "bench/table/measure.h"
#include "bench/table/workloads.h"

namespace assay::bench {

/// How near the scores of a variant are to those of EK-FAC in exact float32.
struct Agreement {
  std::string workload, variant;
  double spearman = 0;  ///< over documents, mean over queries
  double top = 0;       ///< share of the ten strongest documents that are among its ten strongest
};

/// One stage of ours and of a peer, timed in turns.
struct Turns {
  std::string stage;
  std::vector<double> ours = {}, theirs = {};
  int64_t our_peak = 0, their_peak = 0;
  double other_load = 0;  ///< the highest that either saw

  double ratio() const;  ///< fastest against fastest: how many times as fast as the peer
};

struct Duel {
  std::string workload, peer, setting, our_dtype;
  std::vector<Turns> stages;       ///< with more than one, the last is their sum
  std::vector<Ceilings> ceilings;  ///< measured right after each of our turns: a shared machine changes by the minute
  Cost counted;                    ///< our operations of one turn

  /// Their fastest turn against our counted operations at the highest of those ceilings: no engine that does this work
  /// can be more times as fast.
  double most() const;
  std::string title() const { return peer + ", " + setting; }
};

struct Results {
  std::string machine;
  int threads = 1;
  bool is_quick = false;
  Ceilings ceilings;
  std::vector<Row> rows;
  std::vector<std::string> left_out;  ///< sentences: what was not measured, and why
  std::vector<Agreement> agreements;
  std::map<std::string, double> lds;  ///< by method; "retraining" is the ceiling
  std::vector<Duel> duels;
  std::vector<Row> store;                ///< questions to a large synthetic index ...
  std::map<std::string, double> shares;  ///< ... and what share of a ceiling each reaches, by stage

  const Row* find(const std::string& workload, const std::string& dtype, const std::string& stage) const;
  /// Time for each token against the faster bare pass in float32: what all ratios are relative to.
  std::optional<double> ratio_to_bare(const Row& row) const;
  /// Time against that of the counted operations at the ceilings.
  std::optional<double> ratio_to_floor(const Row& row) const;
  const Duel* duel(const std::string& workload, const std::string& title) const;
};

nlohmann::json to_json(const Results& results);

}  // namespace assay::bench
