// Against the error function and the hyperbolic tangent of the C library in float64: everyday and extreme arguments,
// lengths with and without a rest.
#include "assay/kernel/gelu.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

using Gelu = at::Tensor (*)(const at::Tensor&);

struct GeluPoint {
  double value, slope;
};

GeluPoint exact_gelu(double x) {
  const double share = 0.5 * std::erfc(-x / std::sqrt(2.0));
  return {x * share, share + x * std::exp(-0.5 * x * x) / std::sqrt(2 * 3.14159265358979323846)};
}

GeluPoint approximate_gelu(double x) {
  const double c = std::sqrt(2 / 3.14159265358979323846), u = c * (x + 0.044715 * x * x * x);
  const double share = 1 / (1 + std::exp(-2 * u));
  return {x * share, share + x * share / (1 + std::exp(2 * u)) * 2 * c * (1 + 3 * 0.044715 * x * x)};
}

struct GeluErrors {
  double value = 0, slope = 0;  ///< of the share of x, and of the derivative, absolute
};

GeluErrors gelu_errors(Gelu gelu_kind, GeluPoint (*truth)(double), const at::Tensor& x) {
  const at::Tensor a = x.detach().requires_grad_(true), y = gelu_kind(a);
  const at::Tensor slope = torch::autograd::grad({y}, {a}, {at::ones_like(y)})[0];
  const at::Tensor numbers = x.to(at::kDouble).flatten(), values = y.detach().to(at::kDouble).flatten();
  const at::Tensor slopes = slope.to(at::kDouble).flatten();
  GeluErrors errors;
  for (int64_t i = 0; i < numbers.numel(); ++i) {
    const double at = numbers[i].item<double>();
    const GeluPoint point = truth(at);
    const double size = std::max(std::abs(at), 1e-30);
    errors.value = std::max(errors.value, std::abs(values[i].item<double>() - point.value) / size);
    errors.slope = std::max(errors.slope, std::abs(slopes[i].item<double>() - point.slope));
  }
  return errors;
}

at::Tensor gelu_arguments(at::ScalarType type) {
  return at::linspace(-12, 12, 4'803, at::kDouble).to(type);
}

// A tail of at most a half, of ten roundings and an exponential within 2e-7, then two roundings of 6e-8; in float64 the
// same with 1.1e-16. The derivative adds a term of the same kind, whose exponent of up to 10 is rounded before it is
// raised.
constexpr double kGeluSingle = 3e-7, kGeluSingleSlope = 1e-6, kGeluDouble = 1e-15, kGeluDoubleSlope = 3e-15;

TEST(GeluTest, TheExactForm) {
  const GeluErrors single = gelu_errors(gelu, exact_gelu, gelu_arguments(at::kFloat));
  EXPECT_LT(single.value, kGeluSingle);
  EXPECT_LT(single.slope, kGeluSingleSlope);
  const GeluErrors twice = gelu_errors(gelu, exact_gelu, gelu_arguments(at::kDouble));
  EXPECT_LT(twice.value, kGeluDouble);
  EXPECT_LT(twice.slope, kGeluDoubleSlope);
}

TEST(GeluTest, TheApproximateForm) {
  const GeluErrors single = gelu_errors(gelu_tanh, approximate_gelu, gelu_arguments(at::kFloat));
  EXPECT_LT(single.value, kGeluSingle);
  EXPECT_LT(single.slope, kGeluSingleSlope);
  const GeluErrors twice = gelu_errors(gelu_tanh, approximate_gelu, gelu_arguments(at::kDouble));
  EXPECT_LT(twice.value, kGeluDouble);
  EXPECT_LT(twice.slope, kGeluDoubleSlope);
}

TEST(GeluTest, PlainFormsAreTheSameFunctions) {
  const at::Tensor x = gelu_arguments(at::kDouble);
  EXPECT_LT(gelu_errors(gelu_plain, exact_gelu, x).value, kGeluDouble);
  EXPECT_LT(gelu_errors(gelu_tanh_plain, approximate_gelu, x).value, kGeluDouble);
}

TEST(GeluTest, ExchangedKindsAreCaught) {
  const ScopedTwin twin("kernel.gelu_kinds_swapped");
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    EXPECT_GT(gelu_errors(gelu, exact_gelu, gelu_arguments(type)).value, 10 * kGeluSingle);
    EXPECT_GT(gelu_errors(gelu_tanh, approximate_gelu, gelu_arguments(type)).value, 10 * kGeluSingle);
  }
}

TEST(GeluTest, ASlopeThatForgetsTheDensityIsCaught) {
  const ScopedTwin twin("kernel.gelu_slope_without_density");
  EXPECT_GT(gelu_errors(gelu, exact_gelu, gelu_arguments(at::kFloat)).slope, kGeluSingleSlope);
  EXPECT_GT(gelu_errors(gelu_tanh, approximate_gelu, gelu_arguments(at::kFloat)).slope, kGeluSingleSlope);
  EXPECT_GT(gelu_errors(gelu_tanh, approximate_gelu, gelu_arguments(at::kDouble)).slope, kGeluDoubleSlope);
}

// Relative to the value itself: the product form keeps the digits that 1 + erf(x) cancels.
TEST(GeluTest, TheNegativeTailKeepsItsDigits) {
  const at::Tensor x = at::linspace(-9, -0.01, 1'801, at::kDouble).to(at::kFloat), y = gelu(x), z = gelu_tanh(x);
  double exact = 0, approximate = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double at = x[i].item<double>();
    exact = std::max(exact, std::abs(y[i].item<double>() / exact_gelu(at).value - 1));
    approximate = std::max(approximate, std::abs(z[i].item<double>() / approximate_gelu(at).value - 1));
  }
  EXPECT_LT(exact, 1e-5);        // an exponent of 58 powers of two is rounded to 4e-6 of one, twice
  EXPECT_LT(approximate, 2e-5);  // and one of 96
}

TEST(GeluTest, ExtremeArguments) {
  for (const Gelu kind : {gelu, gelu_tanh}) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor x = at::tensor({-1e20, -1e4, -100.0, -14.0, 0.0, 14.0, 100.0, 1e4, 1e20}, type);
      const at::Tensor a = x.detach().requires_grad_(true), y = kind(a);
      const at::Tensor positive = x.clamp_min(0);
      EXPECT_LT(y.sub(positive).abs().max().item<double>(), 1e-15);  // 1e20 · 2^-122 is 2e-17
      const at::Tensor slope = torch::autograd::grad({y}, {a}, {at::ones_like(y)})[0];
      const at::Tensor expected = at::tensor({0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0}, type);
      EXPECT_LT(slope.sub(expected).abs().max().item<double>(), type == at::kFloat ? kGeluSingle : kGeluDouble);
      const at::Tensor unknown = at::tensor({std::numeric_limits<double>::quiet_NaN()}, type).requires_grad_(true);
      const at::Tensor result = kind(unknown);
      EXPECT_TRUE(std::isnan(result.item<double>()));
      EXPECT_TRUE(std::isnan(torch::autograd::grad({result}, {unknown})[0].item<double>()));
    }
  }
}

TEST(GeluTest, LengthsAndStrides) {
  for (const Gelu kind : {gelu, gelu_tanh}) {
    const auto truth = kind == gelu ? exact_gelu : approximate_gelu;
    for (const int64_t length : {1, 5, 16, 17, 40'003}) {
      const at::Tensor x = at::rand({length}, at::kFloat).sub(0.5).mul(8);
      const at::Tensor some = length > 1000 ? x.narrow(0, length - 100, 100) : x;
      EXPECT_TRUE(kind(x).narrow(0, length - some.numel(), some.numel()).equal(kind(some))) << length;
      EXPECT_LT(gelu_errors(kind, truth, some).value, kGeluSingle) << length;
    }
    const at::Tensor across = at::rand({13, 9}, at::kFloat).sub(0.5).t();
    EXPECT_TRUE(kind(across).equal(kind(across.contiguous())));
  }
}

TEST(GeluTest, GradientsThatAreViewsAndNoHistoryWhereNoneIsWanted) {
  const at::Tensor x = at::rand({9, 20}, at::kFloat), a = x.detach().requires_grad_(true);
  const at::Tensor spread = at::rand({}, at::kFloat).expand({9, 20});
  for (const Gelu kind : {gelu, gelu_tanh}) {
    const at::Tensor dense = torch::autograd::grad({kind(a)}, {a}, {spread.contiguous()})[0];
    EXPECT_TRUE(torch::autograd::grad({kind(a)}, {a}, {spread})[0].equal(dense));
    EXPECT_FALSE(kind(x).requires_grad());
    EXPECT_TRUE(kind(x).equal(kind(a).detach()));
    const at::NoGradGuard no_history;
    EXPECT_FALSE(kind(a).requires_grad());
  }
}

TEST(GeluTest, TheSameBitsWithOneThreadAndTwo) {
  const at::Tensor x = at::rand({50'001}, at::kFloat).sub(0.5).mul(10);
  const int threads = at::get_num_threads();
  for (const Gelu kind : {gelu, gelu_tanh}) {
    at::set_num_threads(1);
    const at::Tensor one = kind(x);
    at::set_num_threads(2);
    EXPECT_TRUE(one.equal(kind(x)));
  }
  at::set_num_threads(threads);
}

TEST(GeluTest, OtherTypesAndEmptyTensorsTakeThePlainForm) {
  const at::Tensor half = at::rand({3, 8}).to(at::kBFloat16);
  EXPECT_TRUE(gelu(half).equal(gelu_plain(half)));
  EXPECT_TRUE(gelu_tanh(half).equal(gelu_tanh_plain(half)));
  EXPECT_EQ(gelu(at::rand({0, 8})).sizes(), (std::vector<int64_t>{0, 8}));
}

}  // namespace
}  // namespace assay::kernel
