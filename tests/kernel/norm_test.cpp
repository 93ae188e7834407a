// Against the tensor operators and autograd, on widths with and without a rest beside the lanes, one row and many
// blocks.
#include "assay/kernel/norm.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

using Norm = at::Tensor (*)(const at::Tensor&, const at::Tensor&, double);

at::Tensor norm_input(at::IntArrayRef shape, at::ScalarType type = at::kDouble) {
  return at::rand(shape, type).sub(0.5);
}

double norm_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

// y, dx and dw for the gradient g of y.
std::vector<at::Tensor> norm_pass(Norm norm, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& g) {
  const at::Tensor a = x.detach().requires_grad_(true), w = weight.detach().requires_grad_(true);
  const at::Tensor y = norm(a, w, 1e-5);
  const std::vector<at::Tensor> gradients = torch::autograd::grad({y}, {a, w}, {g});
  return {y.detach(), gradients[0], gradients[1]};
}

struct NormErrors {
  double value = 0, gradient = 0;
};

// dx against its two parts before they cancel (a row of one number leaves next to nothing), the others against
// themselves.
NormErrors norm_errors(const at::Tensor& x, const at::Tensor& g) {
  const at::Tensor weight = norm_input({x.size(-1)}, x.scalar_type()).add(1);
  const auto fused = norm_pass(rms_norm, x, weight, g), plain = norm_pass(rms_norm_plain, x, weight, g);
  const double part = g.mul(weight).div(rms_scale(x, 1e-5)).abs().max().item<double>();
  return {norm_difference(fused[0], plain[0]),
          std::max(fused[1].sub(plain[1]).abs().max().item<double>() / part, norm_difference(fused[2], plain[2]))};
}

constexpr double kNormGradientTolerance = 1e-12;  // float64 sums of at most 5,000 terms of one size, ten times over

TEST(NormTest, ValuesAndGradientsOfAnyWidth) {
  for (const int64_t width : {1, 3, 8, 64, 172, 577, 1536}) {
    for (const int64_t rows : {1, 7, 300}) {
      const NormErrors errors = norm_errors(norm_input({rows, width}), norm_input({rows, width}));
      EXPECT_LT(errors.value, 1e-13) << rows << " x " << width;  // a sum of up to 1,536 squares, four roundings more
      EXPECT_LT(errors.gradient, kNormGradientTolerance) << rows << " x " << width;
    }
  }
}

TEST(NormTest, SinglePrecision) {
  for (const int64_t width : {8, 64, 172, 1536}) {
    const NormErrors errors =
        norm_errors(norm_input({4, 128, width}, at::kFloat), norm_input({4, 128, width}, at::kFloat));
    EXPECT_LT(errors.value, 2e-6) << width;  // a few roundings of 6e-8; sums of lanes are as good as sums of pairs
    EXPECT_LT(errors.gradient, 1e-5) << width;
  }
}

TEST(NormTest, ABackwardPassWithoutTheProjectionIsCaught) {
  const ScopedTwin twin("kernel.norm_backward_without_projection");
  EXPECT_GT(norm_errors(norm_input({7, 64}), norm_input({7, 64})).gradient, kNormGradientTolerance);
}

TEST(NormTest, StridesOfInputsAndGradients) {
  const at::Tensor across = norm_input({70, 5, 33}).transpose(0, 2),
                   same = at::ones({}, at::kDouble).expand({33, 5, 70});
  EXPECT_LT(norm_errors(across, same).gradient, kNormGradientTolerance);
  EXPECT_LT(norm_errors(norm_input({33, 5, 70}), across).gradient, kNormGradientTolerance);
}

TEST(NormTest, OnlyWhatIsWanted) {
  const at::Tensor x = norm_input({9, 20}), weight = norm_input({20}), g = norm_input({9, 20});
  const auto both = norm_pass(rms_norm, x, weight, g);
  const at::Tensor a = x.detach().requires_grad_(true), w = weight.detach().requires_grad_(true);
  EXPECT_TRUE(torch::autograd::grad({rms_norm(a, weight, 1e-5)}, {a}, {g})[0].equal(both[1]));
  EXPECT_TRUE(torch::autograd::grad({rms_norm(x, w, 1e-5)}, {w}, {g})[0].equal(both[2]));
  EXPECT_FALSE(rms_norm(x, weight, 1e-5).requires_grad());
  const at::NoGradGuard no_history;
  EXPECT_FALSE(rms_norm(a, w, 1e-5).requires_grad());
  EXPECT_TRUE(rms_norm(a, w, 1e-5).equal(both[0]));
}

TEST(NormTest, TheSameBitsWithOneThreadAndTwo) {
  const at::Tensor x = norm_input({5000, 64}, at::kFloat), weight = norm_input({64}, at::kFloat), g = x.flip(0);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = norm_pass(rms_norm, x, weight, g);
  at::set_num_threads(2);
  const auto two = norm_pass(rms_norm, x, weight, g);
  at::set_num_threads(threads);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(two[i])) << i;
}

TEST(NormTest, OtherTypesAndEmptyTensorsTakeThePlainForm) {
  const at::Tensor half = norm_input({3, 8}).to(at::kBFloat16), weight = at::ones({8}, at::kBFloat16);
  EXPECT_TRUE(rms_norm(half, weight, 1e-5).equal(rms_norm_plain(half, weight, 1e-5)));
  EXPECT_EQ(rms_norm(norm_input({0, 8}), norm_input({8}), 1e-5).sizes(), (std::vector<int64_t>{0, 8}));
}

}  // namespace
}  // namespace assay::kernel
