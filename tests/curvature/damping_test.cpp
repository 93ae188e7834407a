// What is added before a solve, and what it leaves: the same in every call, in the size of each layer (section 8 of the
// EK-FAC sheet).
#include "assay/curvature/damping.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/curvature/spectrum.h"
#include "tests/curvature/fitting.h"

namespace assay::curvature {
namespace {

TEST(Damping, IsTheSameInTwoConsecutiveCalls) {
  const ToyMlp shape;
  Fit fit{toy_mlp(shape), toy_arrays(30, shape)};
  const at::Tensor v = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), 0);
  const auto drift = [&] {
    const auto ekfac = fit.ekfac();
    const at::Tensor first = ekfac->solve(v, 0, Damping::relative(0.1));
    return largest_difference(first, ekfac->solve(v, 0, Damping::relative(0.1)));
  };
  EXPECT_EQ(drift(), 0);
  const ScopedTwin twin("curvature.damping_added_in_place");
  EXPECT_GT(drift(), 1e-3);
}

TEST(Damping, FollowsTheScaleOfEachLayer) {
  const ToyMlp shape{.features = 4, .hidden = {6}, .outputs = 3};
  nn::Model model = toy_mlp(shape);
  model.parameters()[2].mul_(0.01);  // the second layer's weights: gradients of the first shrink by as much
  Fit fit{model, toy_arrays(30, shape)};
  const auto mean_share = [&](nn::LayerId layer) {  // what 0.1 times the mean eigenvalue leaves of a mean direction
    const auto ekfac = fit.ekfac();
    const at::Tensor ones = at::eye(1, at::kDouble).expand(ekfac->eigenvalues(layer).sizes());
    const double added = 0.1 * ekfac->eigenvalues(layer).mean().item<double>();
    const at::Tensor expected =
        ekfac->apply(ones, layer, [&](const at::Tensor& values) { return values.add(added).reciprocal(); });
    return largest_difference(ekfac->solve(ones, layer, Damping::relative(0.1)), expected) /
           expected.abs().max().item<double>();
  };
  EXPECT_GT(fit.ekfac()->mean_eigenvalue(1), 100 * fit.ekfac()->mean_eigenvalue(0));  // very different scales
  EXPECT_LT(mean_share(0), kRounding);
  EXPECT_LT(mean_share(1), kRounding);
  const ScopedTwin twin("curvature.damping_of_the_first_layer");
  EXPECT_GT(mean_share(1), 1e-2);
}

TEST(Damping, OfZeroLeavesOutDirectionsWithoutCurvature) {
  const ToyMlp shape{.features = 4, .hidden = {6}, .outputs = 3};
  Fit fit{toy_mlp(shape), toy_arrays(1, shape), Labels::Empirical};  // one example: A has rank 1
  const auto ekfac = fit.ekfac();
  const at::Tensor v = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), 0);
  EXPECT_TRUE(ekfac->solve(v, 0, Damping::none()).isfinite().all().item<bool>());
}

// One layer, eigenvalues known as multiples of the damping.
TEST(Spectrum, CountsDirectionsBesideTheDamping) {
  const at::Tensor values = at::tensor({1e-9, 0.0, 0.5, 1.0, 2.0, 1e9}, at::kDouble).view({2, 3});
  std::map<nn::LayerId, FactoredBlock> blocks;
  blocks[0].eigenvalues = values;
  const FactoredCurvature curvature("diagonal", blocks);
  const auto spectrum = spectrum_of(curvature, Damping::absolute(1));
  ASSERT_TRUE(spectrum);
  EXPECT_EQ(spectrum->total, 6);
  EXPECT_EQ(spectrum->without_curvature, 1);
  EXPECT_EQ(spectrum->below_damping, 3);
  std::array<int64_t, Spectrum::kBins> expected{};
  expected.front() = 1;  // 1e-9 lies beyond the first bin and is counted there
  expected[11] = 1;      // log10(0.5) = -0.30
  expected[12] = 2;      // log10(1) = 0 and log10(2) = 0.30
  expected.back() = 1;
  EXPECT_EQ(spectrum->directions, expected);
  EXPECT_FALSE(spectrum_of(curvature, Damping::none()));
  const ScopedTwin twin("curvature.spectrum_upside_down");
  EXPECT_NE(spectrum_of(curvature, Damping::absolute(1))->directions, expected);
}

}  // namespace
}  // namespace assay::curvature
