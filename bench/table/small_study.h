// What retraining says of each method: the linear datamodeling score of one data seed of studies/ekfac_small_mlp, with
// fewer subsets than the study takes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace assay::bench {

/// {"lds": {method: score, ..., "retraining": ceiling}}; methods in float64 where they say nothing else. `folder`: for
/// what an index leaves on the way.
nlohmann::json small_study(const std::string& folder, bool is_quick);

}  // namespace assay::bench
