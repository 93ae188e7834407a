// One group of stages, measured in a process of its own, so that its peak memory is its own. What users run is what is
// measured: make_scorer and score, with factors in a cache folder between the processes.
//
//   ceilings             float32, bf16 and memory, of this machine now
//   bare                 forward and backward with all weight gradients; the engine's pass and a plain one
//   fit[:METHOD[:SEED]]  covariances, eigendecompositions, eigenvalues
//   scores:Q[:METHOD[:SEED]]  of the last Q queries, with the factors that fit left; the scores stay in the folder
//   self                 self-influence, beside one query
//   whole:Q              fit and scores with an empty cache, for comparisons
//   index:R              a gradient index of rank R, and the scores it gives
//   lds                  what retraining says, on the small study
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bench/table/workloads.h"

namespace assay::bench {

struct Task {
  std::string what;  ///< from the list above
  std::string dtype = "fp32";
  std::string folder;  ///< for factors, indices and scores
  int runs = 1;
  bool is_quick = false;
};

/// {"rows": [...]}, and "ceilings" or "lds" by what was asked.
nlohmann::json measure(const Workload& workload, const Task& task);

/// The file of scores [Q,N] that a task left, float32 row after row.
std::string scores_file(const std::string& folder, const std::string& workload, const std::string& dtype,
                        const std::string& what);

}  // namespace assay::bench
