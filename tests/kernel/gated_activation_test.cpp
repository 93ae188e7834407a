// Against the tensor operators and autograd: everyday and extreme arguments, lengths with and without a rest.
#include "assay/kernel/gated_activation.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

using Gated = at::Tensor (*)(const at::Tensor&, const at::Tensor&);

at::Tensor gated_input(at::IntArrayRef shape, at::ScalarType type = at::kDouble) {
  return at::rand(shape, type).sub(0.5).mul(8);
}

// y, and d(gate) and d(up) for the gradient g of y.
std::vector<at::Tensor> gated_pass(Gated gated, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& g) {
  const at::Tensor a = gate.detach().requires_grad_(true), b = up.detach().requires_grad_(true);
  const at::Tensor y = gated(a, b);
  const std::vector<at::Tensor> gradients = torch::autograd::grad({y}, {a, b}, {g});
  return {y.detach(), gradients[0], gradients[1]};
}

double gated_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

struct GatedErrors {
  double value = 0, gradient = 0;
};

GatedErrors gated_errors(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& g) {
  const auto fused = gated_pass(gated_silu, gate, up, g), plain = gated_pass(gated_silu_plain, gate, up, g);
  return {gated_difference(fused[0], plain[0]),
          std::max(gated_difference(fused[1], plain[1]), gated_difference(fused[2], plain[2]))};
}

constexpr double kGatedTolerance = 2e-15;  // an exponential within 5e-16 and eight roundings of 1.1e-16

TEST(GatedActivationTest, ValuesAndGradientsOfAnyLength) {
  for (const int64_t length : {1, 5, 16, 172, 40'003}) {
    const at::Tensor gate = gated_input({length}), up = gated_input({length}), g = gated_input({length});
    const GatedErrors errors = gated_errors(gate, up, g);
    EXPECT_LT(errors.value, kGatedTolerance) << length;
    EXPECT_LT(errors.gradient, kGatedTolerance) << length;
    const GatedErrors single = gated_errors(gate.to(at::kFloat), up.to(at::kFloat), g.to(at::kFloat));
    EXPECT_LT(single.value, 1e-6) << length;  // an exponential within 2e-7 and eight roundings of 6e-8
    EXPECT_LT(single.gradient, 1e-6) << length;
  }
}

TEST(GatedActivationTest, MistakesInEitherDirectionAreCaught) {
  const at::Tensor gate = gated_input({172}), up = gated_input({172}), g = gated_input({172});
  {
    const ScopedTwin twin("kernel.gated_backward_without_sigmoid_slope");
    EXPECT_GT(gated_errors(gate, up, g).gradient, kGatedTolerance);
  }
  const ScopedTwin twin("kernel.gate_without_silu");
  EXPECT_GT(gated_errors(gate, up, g).value, kGatedTolerance);
}

// Number by number where silu is a normal number, not against the largest: the exponential itself. What is beyond the
// clamp is zero beside anything.
TEST(GatedActivationTest, TheExponentialIsRightOverItsWholeRange) {
  const at::Tensor gate = at::linspace(-80, 80, 200'001, at::kDouble).to(at::kFloat);
  const at::Tensor up = at::ones_like(gate), exact = gated_silu_plain(gate.to(at::kDouble), up.to(at::kDouble));
  const at::Tensor error = gated_silu(gate, up).sub(exact).div(exact.abs().clamp_min(1e-30)).abs();
  EXPECT_LT(error.max().item<double>(), 4e-7);  // the exponential's 2e-7 and three roundings of 6e-8
  const at::Tensor wide = at::linspace(-650, 650, 200'001, at::kDouble), one = at::ones_like(wide);
  const at::Tensor expected = gated_silu_plain(wide, one);
  const at::Tensor wrong = gated_silu(wide, one).sub(expected).div(expected.abs().clamp_min(1e-280)).abs();
  EXPECT_LT(wrong.max().item<double>(), 1.5e-15);
}

TEST(GatedActivationTest, ExtremeArguments) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor gate = at::tensor({-1e4, -100.0, -88.5, 0.0, 88.5, 100.0, 1e4}, type), up = at::ones_like(gate);
    const auto result = gated_pass(gated_silu, gate, up, up);
    const at::Tensor positive = gate.clamp_min(0);
    EXPECT_LT(result[0].sub(positive).abs().max().item<double>(), 1e-30);  // 1e4 · e^-87 is below 1e-33
    EXPECT_LT(result[2].sub(positive).abs().max().item<double>(), 1e-30);
    const at::Tensor slope = at::tensor({0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0}, type);
    EXPECT_LT(result[1].sub(slope).abs().max().item<double>(), 1e-30);
    const at::Tensor unknown = at::tensor({std::numeric_limits<double>::quiet_NaN()}, type);
    for (const at::Tensor& x : gated_pass(gated_silu, unknown, at::ones_like(unknown), at::ones_like(unknown))) {
      EXPECT_TRUE(std::isnan(x.item<double>()));
    }
  }
}

TEST(GatedActivationTest, StridesOfInputsAndGradients) {
  const at::Tensor across = gated_input({40, 31}).t(), along = gated_input({31, 40});
  const at::Tensor same = at::ones({}, at::kDouble).expand({31, 40});
  EXPECT_LT(gated_errors(across, along, same).gradient, kGatedTolerance);
  EXPECT_LT(gated_errors(along, across, across).gradient, kGatedTolerance);
  EXPECT_LT(gated_errors(same, across, along).gradient, kGatedTolerance);
}

TEST(GatedActivationTest, OnlyWhatIsWanted) {
  const at::Tensor gate = gated_input({9, 20}), up = gated_input({9, 20}), g = gated_input({9, 20});
  const auto both = gated_pass(gated_silu, gate, up, g);
  const at::Tensor a = gate.detach().requires_grad_(true), b = up.detach().requires_grad_(true);
  EXPECT_TRUE(torch::autograd::grad({gated_silu(a, up)}, {a}, {g})[0].equal(both[1]));
  EXPECT_TRUE(torch::autograd::grad({gated_silu(gate, b)}, {b}, {g})[0].equal(both[2]));
  EXPECT_FALSE(gated_silu(gate, up).requires_grad());
  const at::NoGradGuard no_history;
  EXPECT_FALSE(gated_silu(a, b).requires_grad());
  EXPECT_TRUE(gated_silu(a, b).equal(both[0]));
}

TEST(GatedActivationTest, TheSameBitsWithOneThreadAndTwo) {
  const at::Tensor gate = gated_input({50'001}, at::kFloat), up = gate.flip(0), g = gate.mul(2);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = gated_pass(gated_silu, gate, up, g);
  at::set_num_threads(2);
  const auto two = gated_pass(gated_silu, gate, up, g);
  at::set_num_threads(threads);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(two[i])) << i;
}

TEST(GatedActivationTest, OtherTypesShapesAndEmptyTensorsTakeThePlainForm) {
  const at::Tensor half = gated_input({3, 8}).to(at::kBFloat16), none = gated_input({0, 8});
  EXPECT_TRUE(gated_silu(half, half).equal(gated_silu_plain(half, half)));
  EXPECT_EQ(gated_silu(none, none).sizes(), none.sizes());
  EXPECT_EQ(gated_silu(gated_input({3, 1}), gated_input({8})).sizes(), (std::vector<int64_t>{3, 8}));
}

}  // namespace
}  // namespace assay::kernel
