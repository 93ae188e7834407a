// The short form of studies/logra_small_mlp: one data seed of five, 36 of 100 subsets, one training of each in the
// place of two. It asserts the study's own thresholds; beside each stands what the study measured at this seed.
#include <gtest/gtest.h>

#include <cmath>

#include "assay/core/twin.h"
#include "studies/logra_small_mlp/protocol.h"
#include "tests/support/temporary_folder.h"

namespace assay::studies {
namespace {

using attribute::ProjectionKind;

constexpr uint64_t kIndexDataSeed = 1;
constexpr size_t kIndexSubsets = 36, kIndexRetrainings = 1;

TEST(LograOnASmallNetwork, OrdersRetrainingsBetterTheHigherItsRank) {
  const Seed seed(kIndexDataSeed);
  const evaluate::RetrainingBank bank = retrain(seed.problem, seed.seed, kIndexSubsets, kIndexRetrainings);
  const TemporaryFolder folder;
  const auto lds = [&](const at::Tensor& scores) {
    return evaluate::linear_datamodeling_score(as_rows(scores), bank).mean;
  };
  const auto of = [&](ProjectionKind projection, int64_t rank) {
    return lds(index_scores(seed, settings_of(projection, rank, seed.seed), folder.path()));
  };
  const double ekfac = lds(seed.scores("ekfac").total), dot = lds(seed.scores("identity").total);
  std::map<std::string, double> found;
  for (const ProjectionKind projection : {ProjectionKind::Random, ProjectionKind::Principal}) {
    double before = -1;
    for (const int64_t rank : {2, 4, 8}) {
      const double now = of(projection, rank);
      RecordProperty(std::string(to_string(projection)) + std::to_string(rank), std::to_string(now));
      EXPECT_GT(now, before) << to_string(projection) << " " << rank;
      before = found[to_string(projection) + std::to_string(rank)] = now;
    }
  }
  EXPECT_GE(found["pca8"], 0.52);
  EXPECT_GE(found["pca8"], ekfac - 0.10);
  EXPECT_GE(found["pca8"], dot + 0.08);
  EXPECT_GT(found["pca4"] - found["random4"] + found["pca8"] - found["random8"], 0);
  EXPECT_LT(std::abs(lds(mixed_up_scores(seed, 8))), 0.15);
  {
    const ScopedTwin twin("attribute.projection_of_another_seed");
    EXPECT_LT(std::abs(of(ProjectionKind::Random, 8)), 0.15);
  }
  const ScopedTwin twin("curvature.weakest_directions_kept");
  EXPECT_LT(of(ProjectionKind::Principal, 8), 0.52);
}

}  // namespace
}  // namespace assay::studies
