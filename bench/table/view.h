// The table on a terminal, 100 columns wide.
#pragma once

#include <string>

#include "bench/table/results.h"

namespace assay::bench {

std::string title_view(const Results& results);
/// One workload, all of its types; empty where nothing was measured.
std::string workload_view(const Results& results, const Workload& workload);
/// Accuracy, peers, the store, goals, and what was left out.
std::string closing_view(const Results& results);

}  // namespace assay::bench
