// LoGra against retraining on a small network, by rank and kind of projection, five data seeds, with the thresholds
// that must hold; README.md says what was measured. Prints a table and leaves 1 when a threshold is missed. About two
// minutes on two cores.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "studies/ekfac_small_mlp/seed_table.h"
#include "studies/logra_small_mlp/protocol.h"
#include "tests/support/temporary_folder.h"

namespace assay::studies {
namespace {

using attribute::ProjectionKind;

constexpr size_t kSubsets = 100, kRetrainings = 2;
constexpr std::array<int64_t, 3> kRanks{2, 4, 8};

std::string row_of(ProjectionKind projection, int64_t rank) {
  return fmt::format("LDS {}, rank {}", attribute::to_string(projection), rank);
}

void measure(size_t number, SeedTable& table) {
  const Seed seed(number + 1);
  const evaluate::RetrainingBank bank = retrain(seed.problem, seed.seed, kSubsets, kRetrainings);
  const auto lds = [&](const at::Tensor& scores) {
    return evaluate::linear_datamodeling_score(as_rows(scores), bank).mean;
  };
  const TemporaryFolder folder;
  for (const ProjectionKind projection : {ProjectionKind::Random, ProjectionKind::Principal}) {
    for (const int64_t rank : kRanks)
      table.add(row_of(projection, rank), number,
                lds(index_scores(seed, settings_of(projection, rank, seed.seed), folder.path())));
  }
  attribute::IndexSettings settings = settings_of(ProjectionKind::Principal, 8, 0);
  for (const auto curvature : {attribute::IndexCurvature::Kfac, attribute::IndexCurvature::Ekfac}) {
    settings.curvature = curvature;
    table.add(fmt::format("LDS pca, rank 8, {}", attribute::to_string(curvature)), number,
              lds(index_scores(seed, settings, folder.path())));
  }
  settings.curvature = attribute::IndexCurvature::Raw;
  settings.rows = attribute::RowType::Int8;
  table.add("LDS pca, rank 8, int8", number, lds(index_scores(seed, settings, folder.path())));
  table.add("LDS two projections mixed up", number, lds(mixed_up_scores(seed, 8)));
  table.add("LDS ekfac", number, lds(seed.scores("ekfac").total));
  table.add("LDS gradient dot product", number, lds(seed.scores("identity").total));
}

void check(const SeedTable& table, size_t seed, Thresholds& thresholds) {
  const auto at = [&](const std::string& row) { return table.at(row, seed); };
  const auto must = [&](bool holds, const std::string& rule) { thresholds.must(holds, seed, rule); };
  const auto lds = [&](ProjectionKind projection, int64_t rank) { return at(row_of(projection, rank)); };
  for (const ProjectionKind projection : {ProjectionKind::Random, ProjectionKind::Principal})
    must(lds(projection, 2) < lds(projection, 4) && lds(projection, 4) < lds(projection, 8),
         fmt::format("LDS rises with the rank, {}", attribute::to_string(projection)));
  const double best = lds(ProjectionKind::Principal, 8);
  must(best >= 0.52, "LDS of pca at rank 8 at least 0.52");
  must(best >= at("LDS ekfac") - 0.10, "pca at rank 8 within 0.10 of EK-FAC");
  must(best >= at("LDS gradient dot product") + 0.08, "pca at rank 8 at least 0.08 above the dot product");
  const double ahead =
      (lds(ProjectionKind::Principal, 4) - lds(ProjectionKind::Random, 4) + best - lds(ProjectionKind::Random, 8)) / 2;
  must(ahead > 0, "pca ahead of random in the mean of ranks 4 and 8");
  must(std::abs(at("LDS two projections mixed up")) < 0.15, "two projections mixed up within 0.15 of zero");
}

}  // namespace
}  // namespace assay::studies

int main() {
  return assay::studies::run_study(assay::studies::measure, assay::studies::check);
}
