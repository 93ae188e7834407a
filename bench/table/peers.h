// Other tools at the same work in the same sitting: ours, theirs, ours, theirs. A folder outside of the project holds
// one script a tool (kron.py, berg.py), run with `--workload S|M --model --text --work --out` and more; each appends a
// line of JSON whose "stages" hold "all_s", "peak_rss_mb" and "other_load". The interpreters stand in v_kron, v_bergson
// beside the scripts or in build/peers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/table/results.h"

namespace assay::bench {

struct PeerSetting {
  std::string folder;     ///< of the scripts
  std::string build;      ///< ours
  std::string tokenizer;  ///< a model folder with one: some tools want one even for token ids, any will do
  int turns = 2;
  int threads = 1;
  bool is_quick = false;
};

/// Rows of one task of ours: workload, type, what (stages.h).
using OurTurn = std::function<std::vector<Row>(const Workload&, const std::string& dtype, const std::string& what)>;

using MeasureCeilings = std::function<Ceilings()>;

/// Every comparison whose workload is among `workloads`; `left_out` hears of tools that are not set up.
std::vector<Duel> against_peers(const PeerSetting& setting, const std::vector<Workload>& workloads,
                                const OurTurn& our_turn, const MeasureCeilings& measure_ceilings,
                                std::vector<std::string>& left_out);

}  // namespace assay::bench
