// The LDS table of EK-FAC on a small network, five data seeds, with the thresholds that must hold; README.md says what
// was measured. Prints a table and leaves 1 when a threshold is missed. About two minutes on two cores.
#include <fmt/format.h>

#include <cmath>

#include "studies/ekfac_small_mlp/protocol.h"
#include "studies/ekfac_small_mlp/seed_table.h"

namespace assay::studies {
namespace {

constexpr int kRandomDraws = 10;
constexpr size_t kSubsets = 100, kRetrainings = 2;

void measure(size_t number, SeedTable& table) {
  const Seed seed(number + 1);
  const evaluate::RetrainingBank bank = retrain(seed.problem, seed.seed, kSubsets, kRetrainings);
  const auto lds = [&](const at::Tensor& scores) {
    return evaluate::linear_datamodeling_score(as_rows(scores), bank).mean;
  };
  for (const char* method : {"ekfac", "ekfac(damping=1e-8)", "ekfac(damping=1)", "kfac", "diagonal", "identity",
                             "cosine", "representation"}) {
    table.add(fmt::format("LDS {}", method), number, lds(seed.scores(method).total));
  }
  table.add("LDS block Gauss-Newton", number, lds(seed.block_gauss_newton()));
  double random = 0;
  for (int draw = 0; draw < kRandomDraws; ++draw)
    random += lds(seed.scores(fmt::format("random(seed={})", draw)).total) / kRandomDraws;
  table.add("LDS random, 10 draws", number, random);
  table.add("LDS ceiling", number, evaluate::lds_ceiling(bank));
  const PbrfCorrelation correlation = pbrf(seed);
  table.add("PBRF full Gauss-Newton", number, correlation.gauss_newton);
  table.add("PBRF ekfac", number, correlation.ekfac);
  table.add("PBRF identity", number, correlation.dot);
  const auto [self, loss] = mislabel_auc(seed);
  table.add("AUC self-influence", number, self);
  table.add("AUC training loss", number, loss);
}

void check(const SeedTable& table, size_t seed, Thresholds& thresholds) {
  const auto at = [&](const char* row) { return table.at(row, seed); };
  const auto must = [&](bool holds, const char* rule) { thresholds.must(holds, seed, rule); };
  must(at("LDS ekfac") >= 0.55, "LDS of EK-FAC at least 0.55");
  must(at("LDS ekfac") >= at("LDS identity") + 0.10, "EK-FAC at least 0.10 above the gradient dot product");
  must(at("LDS ekfac") <= at("LDS block Gauss-Newton") + 0.03, "EK-FAC at most 0.03 above the exact blocks");
  must(std::abs(at("LDS random, 10 draws")) <= 0.05, "random within 0.05 of zero");
  must(at("PBRF full Gauss-Newton") >= 0.92, "PBRF of the full Gauss-Newton at least 0.92");
  must(at("PBRF ekfac") >= 0.55, "PBRF of EK-FAC at least 0.55");
  must(at("PBRF ekfac") >= at("PBRF identity") + 0.2, "PBRF of EK-FAC at least 0.2 above the dot product");
  must(at("AUC self-influence") >= 0.70, "AUC of self-influence at least 0.70");
  must(at("AUC self-influence") >= at("AUC training loss") - 0.06, "self-influence within 0.06 of the training loss");
}

}  // namespace
}  // namespace assay::studies

int main() {
  return assay::studies::run_study(assay::studies::measure, assay::studies::check);
}
