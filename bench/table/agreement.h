// How near one file of scores is to another: rank correlation over documents and the overlap of the strongest.
#pragma once

#include <string>
#include <vector>

#include "bench/table/results.h"

namespace assay::bench {

/// Scores [Q][N] of a file that a stage left; empty where there is none.
std::vector<std::vector<double>> read_scores(const std::string& path, int64_t queries);

/// Means over queries. Without the workload's and the variant's names.
Agreement agreement(const std::vector<std::vector<double>>& exact, const std::vector<std::vector<double>>& variant);

/// The variant's order with its strongest `count` documents put into the exact order, in front of the others: what
/// `--rescore` shows.
std::vector<std::vector<double>> rescored(const std::vector<std::vector<double>>& exact,
                                          const std::vector<std::vector<double>>& variant, size_t count);

}  // namespace assay::bench
