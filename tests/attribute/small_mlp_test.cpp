// The short form of studies/ekfac_small_mlp: one data seed, a third of the subsets, one retraining each, with the same
// thresholds where fewer subsets leave them meaningful (the standard error of a mean LDS over 64 queries stays near
// 0.02).
#include <gtest/gtest.h>

#include "studies/ekfac_small_mlp/protocol.h"

namespace assay::studies {
namespace {

TEST(EkfacOnASmallNetwork, OrdersRetrainingsBetterThanTheDotProduct) {
  const Seed seed(1);
  const evaluate::RetrainingBank bank = retrain(seed.problem, seed.seed, 36, 1);
  const auto lds = [&](const at::Tensor& scores) {
    return evaluate::linear_datamodeling_score(as_rows(scores), bank).mean;
  };
  const double ekfac = lds(seed.scores("ekfac").total), dot = lds(seed.scores("identity").total);
  EXPECT_GE(ekfac, dot + 0.05);
  EXPECT_LE(ekfac, lds(seed.block_gauss_newton()) + 0.05);
  EXPECT_DOUBLE_EQ(lds(seed.scores("ekfac").total.neg()), -ekfac);
  RecordProperty("lds_ekfac", std::to_string(ekfac));
  RecordProperty("lds_dot", std::to_string(dot));
}

TEST(EkfacOnASmallNetwork, PredictsTheProximalBregmanObjective) {
  const PbrfCorrelation correlation = pbrf(Seed(1), 16);
  EXPECT_GE(correlation.gauss_newton, 0.92);
  EXPECT_GE(correlation.ekfac, 0.55);
  EXPECT_GE(correlation.ekfac, correlation.dot + 0.2);
}

TEST(EkfacOnASmallNetwork, FindsWrongLabelsBySelfInfluence) {
  const auto [self, loss] = mislabel_auc(Seed(1));
  EXPECT_GE(self, 0.70);
  EXPECT_GE(self, loss - 0.06);
}

}  // namespace
}  // namespace assay::studies
