#include "bench/table/small_study.h"

#include "studies/ekfac_small_mlp/protocol.h"

namespace assay::bench {

nlohmann::json small_study(bool is_quick) {
  const studies::Seed seed(1);
  const evaluate::RetrainingBank bank = studies::retrain(seed.problem, seed.seed, is_quick ? 30 : 100, 2);
  nlohmann::json found;
  for (const char* method : {"ekfac", "ekfac(rank=4)", "kfac", "identity"}) {
    found[method] = evaluate::linear_datamodeling_score(studies::as_rows(seed.scores(method).total), bank).mean;
  }
  found["retraining"] = evaluate::lds_ceiling(bank);
  return {{"lds", found}};
}

}  // namespace assay::bench
