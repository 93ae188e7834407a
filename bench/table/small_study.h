// What retraining says of each method: the linear datamodeling score of one data seed of studies/ekfac_small_mlp, with
// fewer subsets than the study takes.
#pragma once

#include <nlohmann/json.hpp>

namespace assay::bench {

/// {"lds": {method: score, ..., "retraining itself": ceiling}}
nlohmann::json small_study(bool is_quick);

}  // namespace assay::bench
