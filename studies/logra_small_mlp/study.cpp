// LoGra against retraining on a small network, by rank and kind of projection, five data seeds, with the thresholds
// that must hold; README.md says what was measured. Prints a table and leaves 1 when a threshold is missed. About two
// minutes on two cores.
#include <fmt/format.h>

#include "assay/core/error.h"
#include "studies/logra_small_mlp/protocol.h"
#include "tests/support/temporary_folder.h"

namespace assay::studies {
namespace {

using attribute::ProjectionKind;

constexpr int kSeeds = 5;
constexpr size_t kSubsets = 100, kRetrainings = 2;
constexpr std::array<int64_t, 3> kRanks{2, 4, 8};

using Row = std::array<double, kSeeds>;
using Table = std::map<std::string, Row>;

std::string row_of(ProjectionKind projection, int64_t rank) {
  return fmt::format("LDS {}, rank {}", attribute::to_string(projection), rank);
}

void measure(size_t number, Table& table) {
  const Seed seed(number + 1);
  const evaluate::RetrainingBank bank = retrain(seed.problem, seed.seed, kSubsets, kRetrainings);
  const auto lds = [&](const at::Tensor& scores) {
    return evaluate::linear_datamodeling_score(as_rows(scores), bank).mean;
  };
  const TemporaryFolder folder;
  for (const ProjectionKind projection : {ProjectionKind::Random, ProjectionKind::Principal}) {
    for (const int64_t rank : kRanks)
      table[row_of(projection, rank)][number] =
          lds(index_scores(seed, settings_of(projection, rank, seed.seed), folder.path()));
  }
  attribute::IndexSettings settings = settings_of(ProjectionKind::Principal, 8, 0);
  for (const auto curvature : {attribute::IndexCurvature::Kfac, attribute::IndexCurvature::Ekfac}) {
    settings.curvature = curvature;
    table[fmt::format("LDS pca, rank 8, {}", attribute::to_string(curvature))][number] =
        lds(index_scores(seed, settings, folder.path()));
  }
  settings.curvature = attribute::IndexCurvature::Raw;
  settings.rows = attribute::RowType::Int8;
  table["LDS pca, rank 8, int8"][number] = lds(index_scores(seed, settings, folder.path()));
  table["LDS two projections mixed up"][number] = lds(mixed_up_scores(seed, 8));
  table["LDS ekfac"][number] = lds(seed.scores("ekfac").total);
  table["LDS gradient dot product"][number] = lds(seed.scores("identity").total);
}

int check(const Table& table) {
  int missed = 0;
  const auto must = [&](bool holds, size_t seed, const std::string& rule) {
    if (!holds) fmt::print("MISSED at seed {}: {}\n", seed + 1, rule);
    missed += holds ? 0 : 1;
  };
  for (size_t s = 0; s < kSeeds; ++s) {
    const auto at = [&](const std::string& row) { return table.at(row)[s]; };
    const auto lds = [&](ProjectionKind projection, int64_t rank) { return at(row_of(projection, rank)); };
    for (const ProjectionKind projection : {ProjectionKind::Random, ProjectionKind::Principal})
      must(lds(projection, 2) < lds(projection, 4) && lds(projection, 4) < lds(projection, 8), s,
           fmt::format("LDS rises with the rank, {}", attribute::to_string(projection)));
    const double best = lds(ProjectionKind::Principal, 8);
    must(best >= 0.52, s, "LDS of pca at rank 8 at least 0.52");
    must(best >= at("LDS ekfac") - 0.10, s, "pca at rank 8 within 0.10 of EK-FAC");
    must(best >= at("LDS gradient dot product") + 0.08, s, "pca at rank 8 at least 0.08 above the dot product");
    const double ahead =
        (lds(ProjectionKind::Principal, 4) - lds(ProjectionKind::Random, 4) + best - lds(ProjectionKind::Random, 8)) /
        2;
    must(ahead > 0, s, "pca ahead of random in the mean of ranks 4 and 8");
    must(std::abs(at("LDS two projections mixed up")) < 0.15, s, "two projections mixed up within 0.15 of zero");
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
    for (size_t seed = 0; seed < studies::kSeeds; ++seed) {
      studies::measure(seed, table);
      fmt::print("seed {} of {} done\n", seed + 1, studies::kSeeds);
    }
    fmt::print("\n  {:<32}{:>8}{:>8}{:>8}{:>8}{:>8}{:>10}\n", "data seed", 1, 2, 3, 4, 5, "mean");
    for (const auto& [name, values] : table) {
      fmt::print("  {:<32}", name);
      for (const double value : values) fmt::print("{:8.3f}", value);
      fmt::print("{:10.3f}\n", math::mean(values));
    }
    return studies::check(table);
  } catch (const Error& error) {
    fmt::print(stderr, "study: {}\n", error.what());
    return error.exit_code();
  }
}
