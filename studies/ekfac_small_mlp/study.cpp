// The LDS table of EK-FAC on a small network, five data seeds, with the thresholds that must hold; README.md says what
// was measured. Prints a table and leaves 1 when a threshold is missed. About two minutes on two cores.
#include <fmt/format.h>

#include "assay/core/error.h"
#include "studies/ekfac_small_mlp/protocol.h"

namespace assay::studies {
namespace {

constexpr int kSeeds = 5, kRandomDraws = 10;
constexpr size_t kSubsets = 100, kRetrainings = 2;

class Table {
 public:
  void add(const std::string& row, int seed, double value) { rows_[row][static_cast<size_t>(seed)] = value; }
  double at(const std::string& row, int seed) const { return rows_.at(row)[static_cast<size_t>(seed)]; }
  void print() const {
    for (const auto& [name, values] : rows_) {
      fmt::print("  {:<32}", name);
      for (const double value : values) fmt::print("{:8.3f}", value);
      fmt::print("{:10.3f}\n", math::mean(values));
    }
  }

 private:
  std::map<std::string, std::array<double, kSeeds>> rows_;
};

void measure(int number, Table& table) {
  const Seed seed(static_cast<uint64_t>(number) + 1);
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

int check(const Table& table) {
  int missed = 0;
  const auto must = [&](bool holds, int seed, const char* rule) {
    if (!holds) fmt::print("MISSED at seed {}: {}\n", seed + 1, rule);
    missed += holds ? 0 : 1;
  };
  for (int s = 0; s < kSeeds; ++s) {
    const auto at = [&](const char* row) { return table.at(row, s); };
    must(at("LDS ekfac") >= 0.55, s, "LDS of EK-FAC at least 0.55");
    must(at("LDS ekfac") >= at("LDS identity") + 0.10, s, "EK-FAC at least 0.10 above the gradient dot product");
    must(at("LDS ekfac") <= at("LDS block Gauss-Newton") + 0.03, s, "EK-FAC at most 0.03 above the exact blocks");
    must(std::abs(at("LDS random, 10 draws")) <= 0.05, s, "random within 0.05 of zero");
    must(at("PBRF full Gauss-Newton") >= 0.92, s, "PBRF of the full Gauss-Newton at least 0.92");
    must(at("PBRF ekfac") >= 0.55, s, "PBRF of EK-FAC at least 0.55");
    must(at("PBRF ekfac") >= at("PBRF identity") + 0.2, s, "PBRF of EK-FAC at least 0.2 above the dot product");
    must(at("AUC self-influence") >= 0.70, s, "AUC of self-influence at least 0.70");
    must(at("AUC self-influence") >= at("AUC training loss") - 0.06, s,
         "self-influence within 0.06 of the training loss");
  }
  fmt::print("{}\n", missed == 0 ? "Every threshold holds." : fmt::format("{} thresholds were missed.", missed));
  return missed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace assay::studies

int main() {
  using namespace assay;
  try {
    studies::Table table;
    for (int seed = 0; seed < studies::kSeeds; ++seed) {
      studies::measure(seed, table);
      fmt::print("seed {} of {} done\n", seed + 1, studies::kSeeds);
    }
    fmt::print("\n  {:<32}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}\n", "data seed", 1, 2, 3, 4, 5, "mean");
    table.print();
    return studies::check(table);
  } catch (const Error& error) {
    fmt::print(stderr, "study: {}\n", error.what());
    return error.exit_code();
  }
}
