// Against single numbers in float64 and ATen's operator, on widths with and without a rest beside the lanes, one row
// and many blocks, rows with a large mean.
#include "assay/kernel/layer_norm.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

constexpr double kLayerEpsilon = 1e-5;

using LayerNorm = at::Tensor (*)(const at::Tensor&, const at::Tensor&, const at::Tensor&, double);

at::Tensor layer_input(at::IntArrayRef shape, at::ScalarType type = at::kDouble) {
  return at::rand(shape, type).sub(0.5);
}

double layer_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

// y, dx, dw and db for the gradient g of y.
std::vector<at::Tensor> layer_pass(LayerNorm norm, const at::Tensor& x, const at::Tensor& weight,
                                   const at::Tensor& bias, const at::Tensor& g) {
  const at::Tensor a = x.detach().requires_grad_(true), w = weight.detach().requires_grad_(true);
  const at::Tensor b = bias.detach().requires_grad_(true);
  const at::Tensor y = norm(a, w, b, kLayerEpsilon);
  const std::vector<at::Tensor> gradients = torch::autograd::grad({y}, {a, w, b}, {g});
  return {y.detach(), gradients[0], gradients[1], gradients[2]};
}

// The same by the head's equations, row after row: x, g [N,D] float64.
std::vector<at::Tensor> layer_one_by_one(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                                         const at::Tensor& g) {
  at::Tensor y = at::zeros_like(x), dx = at::zeros_like(x), dw = at::zeros_like(weight), db = at::zeros_like(bias);
  const auto X = x.accessor<double, 2>(), G = g.accessor<double, 2>();
  const auto W = weight.accessor<double, 1>(), B = bias.accessor<double, 1>();
  auto Y = y.accessor<double, 2>(), DX = dx.accessor<double, 2>();
  auto DW = dw.accessor<double, 1>(), DB = db.accessor<double, 1>();
  const int64_t width = x.size(1);
  const auto count = static_cast<double>(width);
  for (int64_t n = 0; n < x.size(0); ++n) {
    double mean = 0, variance = 0, level = 0, share = 0;
    for (int64_t i = 0; i < width; ++i) mean += X[n][i] / count;
    for (int64_t i = 0; i < width; ++i) variance += (X[n][i] - mean) * (X[n][i] - mean) / count;
    const double s = std::sqrt(variance + kLayerEpsilon);
    const auto normal = [&](int64_t i) { return (X[n][i] - mean) / s; };
    for (int64_t i = 0; i < width; ++i) {
      Y[n][i] = W[i] * normal(i) + B[i];
      level += W[i] * G[n][i] / count;
      share += W[i] * G[n][i] * normal(i) / count;
      DW[i] += G[n][i] * normal(i);
      DB[i] += G[n][i];
    }
    for (int64_t i = 0; i < width; ++i) DX[n][i] = (W[i] * G[n][i] - level - normal(i) * share) / s;
  }
  return {y, dx, dw, db};
}

struct LayerErrors {
  double value = 0, gradient = 0;
};

// dx and dw against their parts before they cancel (a row of one number leaves next to nothing), the others against
// themselves.
LayerErrors layer_errors(LayerNorm norm, const at::Tensor& x, const at::Tensor& g) {
  const at::Tensor weight = layer_input({x.size(-1)}).add(1), bias = layer_input({x.size(-1)});
  const auto type = x.scalar_type();
  const at::Tensor rows = x.to(at::kDouble).reshape({-1, x.size(-1)}), slopes = g.to(at::kDouble).reshape(rows.sizes());
  const at::Tensor w = weight.to(type).to(at::kDouble), b = bias.to(type).to(at::kDouble);
  const auto expected = layer_one_by_one(rows, w, b, slopes);
  const auto found = layer_pass(norm, x, weight.to(type), bias.to(type), g);
  const at::Tensor scale = layer_scale(rows, kLayerEpsilon);
  const double part = slopes.mul(w).div(scale).abs().max().item<double>();
  const double sum = slopes.abs().sum(0).max().item<double>();
  const at::Tensor dx = found[1].to(at::kDouble).reshape(rows.sizes());
  LayerErrors errors;
  errors.value = layer_difference(found[0].to(at::kDouble).reshape(rows.sizes()), expected[0]);
  errors.gradient = std::max({dx.sub(expected[1]).abs().max().item<double>() / part,
                              found[2].to(at::kDouble).sub(expected[2]).abs().max().item<double>() / sum,
                              layer_difference(found[3].to(at::kDouble), expected[3])});
  return errors;
}

constexpr double kLayerTolerance = 1e-12;  // float64 sums of at most 5,000 terms of one size, ten times over

TEST(LayerNormTest, ValuesAndGradientsOfAnyWidth) {
  for (const int64_t width : {1, 3, 8, 64, 172, 577, 2048}) {
    for (const int64_t rows : {1, 7, 300}) {
      for (const LayerNorm norm : {layer_norm, layer_norm_plain}) {
        const LayerErrors errors = layer_errors(norm, layer_input({rows, width}), layer_input({rows, width}));
        EXPECT_LT(errors.value, kLayerTolerance) << rows << " x " << width;
        EXPECT_LT(errors.gradient, kLayerTolerance) << rows << " x " << width;
      }
    }
  }
}

TEST(LayerNormTest, SinglePrecision) {
  for (const int64_t width : {8, 33, 64, 768, 2048}) {
    const at::Tensor x = layer_input({4, 64, width}, at::kFloat), g = layer_input({4, 64, width}, at::kFloat);
    const LayerErrors errors = layer_errors(layer_norm, x, g);
    EXPECT_LT(errors.value, 2e-6) << width;  // a few roundings of 6e-8; sums of lanes are as good as sums of pairs
    EXPECT_LT(errors.gradient, 1e-5) << width;
  }
}

TEST(LayerNormTest, ALargeMeanCostsNoDigitsOfTheDeviations) {
  const at::Tensor x = layer_input({50, 70}, at::kFloat).mul(256).round().div(256).add(100);  // exact in float32
  const LayerErrors errors = layer_errors(layer_norm, x, layer_input({50, 70}, at::kFloat));
  EXPECT_LT(errors.value, 1e-4);  // the mean of 100 is rounded to 4e-6, a deviation is 0.3; mean(x²) - mean² loses 1e-2
}

TEST(LayerNormTest, ABackwardPassWithoutTheMeanIsCaught) {
  const ScopedTwin twin("kernel.layer_norm_backward_without_mean");
  EXPECT_GT(layer_errors(layer_norm, layer_input({7, 64}), layer_input({7, 64})).gradient, kLayerTolerance);
}

TEST(LayerNormTest, LanesBeyondARowThatCountAreCaught) {
  const ScopedTwin twin("kernel.layer_norm_counts_empty_lanes");
  EXPECT_LT(layer_errors(layer_norm, layer_input({7, 64}), layer_input({7, 64})).value, kLayerTolerance);
  EXPECT_GT(layer_errors(layer_norm, layer_input({7, 67}), layer_input({7, 67})).value, kLayerTolerance);
}

TEST(LayerNormTest, StridesOfInputsAndGradients) {
  const at::Tensor across = layer_input({70, 5, 33}).transpose(0, 2);
  const at::Tensor same = at::ones({}, at::kDouble).expand({33, 5, 70});
  EXPECT_LT(layer_errors(layer_norm, across, same).gradient, kLayerTolerance);
  EXPECT_LT(layer_errors(layer_norm, layer_input({33, 5, 70}), across).gradient, kLayerTolerance);
}

TEST(LayerNormTest, OnlyWhatIsWanted) {
  const at::Tensor x = layer_input({9, 20}), w = layer_input({20}), b = layer_input({20}), g = layer_input({9, 20});
  const auto all = layer_pass(layer_norm, x, w, b, g);
  const std::vector<at::Tensor> inputs{x, w, b};
  for (size_t only = 0; only < 3; ++only) {
    std::vector<at::Tensor> given = inputs;
    given[only] = inputs[only].detach().requires_grad_(true);
    const at::Tensor y = layer_norm(given[0], given[1], given[2], kLayerEpsilon);
    EXPECT_TRUE(torch::autograd::grad({y}, {given[only]}, {g})[0].equal(all[only + 1])) << only;
  }
  EXPECT_FALSE(layer_norm(x, w, b, kLayerEpsilon).requires_grad());
  const at::NoGradGuard no_history;
  EXPECT_TRUE(layer_norm(x, w, b, kLayerEpsilon).equal(all[0]));
}

TEST(LayerNormTest, TheSameBitsWithOneThreadAndTwo) {
  const at::Tensor x = layer_input({5000, 64}, at::kFloat), w = layer_input({64}, at::kFloat), g = x.flip(0);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = layer_pass(layer_norm, x, w, w, g);
  at::set_num_threads(2);
  const auto two = layer_pass(layer_norm, x, w, w, g);
  at::set_num_threads(threads);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(two[i])) << i;
}

TEST(LayerNormTest, TheScaleIsThatOfTheRow) {
  const at::Tensor x = layer_input({3, 11}), w = at::ones({11}, at::kDouble), b = at::zeros_like(w);
  const at::Tensor normal = x.sub(x.mean({-1}, true)).div(layer_scale(x, kLayerEpsilon));
  EXPECT_LT(layer_difference(layer_norm(x, w, b, kLayerEpsilon), normal), kLayerTolerance);
}

TEST(LayerNormTest, OtherTypesAndEmptyTensorsTakeThePlainForm) {
  const at::Tensor half = layer_input({3, 8}).to(at::kBFloat16), w = at::ones({8}, at::kBFloat16);
  EXPECT_TRUE(layer_norm(half, w, w, kLayerEpsilon).equal(layer_norm_plain(half, w, w, kLayerEpsilon)));
  const at::Tensor one = layer_input({8});
  EXPECT_EQ(layer_norm(layer_input({0, 8}), one, one, kLayerEpsilon).sizes(), (std::vector<int64_t>{0, 8}));
}

}  // namespace
}  // namespace assay::kernel
