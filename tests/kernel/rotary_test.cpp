// Against the tensor operators and autograd, and against single numbers turned one by one: heads narrower and wider
// than the lanes, packed and not, turned whole and in part, by one table for all rows and by one for each.
#include "assay/kernel/rotary.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

using Rotate = at::Tensor (*)(const at::Tensor&, const RotaryTable&);

at::Tensor rotary_input(at::IntArrayRef shape, at::ScalarType type = at::kDouble) {
  return at::rand(shape, type).sub(0.5);
}

RotaryTable rotary_table_for(const at::Tensor& x) {
  return rotary_table(3, x.size(1), x.size(3), 100.0, x.scalar_type());
}

// y, and dx for the gradient g of y.
std::vector<at::Tensor> rotary_pass(Rotate rotate, const at::Tensor& x, const at::Tensor& g) {
  const at::Tensor a = x.detach().requires_grad_(true);
  const at::Tensor y = rotate(a, rotary_table_for(x));
  return {y.detach(), torch::autograd::grad({y}, {a}, {g})[0]};
}

double rotary_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

double rotary_error(const at::Tensor& x, const at::Tensor& g, size_t of) {
  return rotary_difference(rotary_pass(rotate_heads, x, g)[of], rotary_pass(rotate_heads_plain, x, g)[of]);
}

constexpr double kRotaryTolerance = 1e-15;  // two products and their sum: three roundings of 1.1e-16

TEST(RotaryTest, ValuesAndGradientsOfAnyHead) {
  for (const int64_t width : {2, 6, 8, 16, 34, 64, 128}) {
    const at::Tensor x = rotary_input({3, 5, 4, width}), g = rotary_input({3, 5, 4, width});
    EXPECT_LT(rotary_error(x, g, 0), kRotaryTolerance) << width;
    EXPECT_LT(rotary_error(x, g, 1), kRotaryTolerance) << width;
    const at::Tensor single = x.to(at::kFloat), slope = g.to(at::kFloat);
    EXPECT_LT(rotary_error(single, slope, 0), 5e-7) << width;  // three roundings of 6e-8
    EXPECT_LT(rotary_error(single, slope, 1), 5e-7) << width;
  }
}

TEST(RotaryTest, ABackwardPassThatTurnsForwardIsCaught) {
  const ScopedTwin twin("kernel.rotary_backward_forward_angle");
  EXPECT_GT(rotary_error(rotary_input({3, 5, 4, 8}), rotary_input({3, 5, 4, 8}), 1), kRotaryTolerance);
}

TEST(RotaryTest, AdjacentPairsAreCaught) {
  const ScopedTwin twin("kernel.rotary_adjacent_pairs");
  EXPECT_GT(rotary_error(rotary_input({3, 5, 4, 8}), rotary_input({3, 5, 4, 8}), 0), kRotaryTolerance);
}

TEST(RotaryTest, StridesOfInputsAndGradients) {
  const at::Tensor shared = rotary_input({3, 5, 96}).narrow(2, 32, 32).view({3, 5, 4, 8});  // keys of a joint product
  const at::Tensor by_head = rotary_input({3, 4, 5, 8}).transpose(1, 2),
                   backward = rotary_input({8, 4, 5, 3}).permute({3, 2, 1, 0});
  const at::Tensor same = at::ones({}, at::kDouble).expand({3, 5, 4, 8});
  for (const at::Tensor& x : {shared, by_head, backward, same}) {
    for (const at::Tensor& g : {shared, by_head, backward, same}) {
      EXPECT_LT(rotary_error(x, g, 0), kRotaryTolerance);
      EXPECT_LT(rotary_error(x, g, 1), kRotaryTolerance);
    }
  }
  EXPECT_TRUE(rotate_heads(by_head, rotary_table_for(by_head)).is_contiguous());
}

TEST(RotaryTest, NoHistoryWhereNoneIsWanted) {
  const at::Tensor x = rotary_input({1, 1, 1, 8}), a = x.detach().requires_grad_(true);
  EXPECT_FALSE(rotate_heads(x, rotary_table_for(x)).requires_grad());
  EXPECT_TRUE(rotate_heads(a, rotary_table_for(x)).requires_grad());
  const at::NoGradGuard no_history;
  EXPECT_FALSE(rotate_heads(a, rotary_table_for(x)).requires_grad());
}

TEST(RotaryTest, TheSameBitsWithOneThreadAndTwo) {
  const at::Tensor x = rotary_input({9, 70, 8, 8}, at::kFloat), g = x.flip(0);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = rotary_pass(rotate_heads, x, g);
  at::set_num_threads(2);
  const auto two = rotary_pass(rotate_heads, x, g);
  at::set_num_threads(threads);
  EXPECT_TRUE(one[0].equal(two[0]));
  EXPECT_TRUE(one[1].equal(two[1]));
}

TEST(RotaryTest, OtherTypesAndEmptyTensorsTakeThePlainForm) {
  const at::Tensor half = rotary_input({2, 3, 1, 8}).to(at::kBFloat16), none = rotary_input({0, 3, 1, 8});
  EXPECT_TRUE(rotate_heads(half, rotary_table_for(half)).equal(rotate_heads_plain(half, rotary_table_for(half))));
  EXPECT_EQ(rotate_heads(none, rotary_table_for(none)).sizes(), none.sizes());
}

// Positions of rows that are padded on the left, and a part of the head turned.
at::Tensor rotary_positions(int64_t examples, int64_t positions) {
  const at::Tensor padding = at::arange(examples, at::kLong).mul(2).unsqueeze(1);
  return at::arange(positions, at::kLong).sub(padding).clamp_min(0);
}

// x' and the gradient for g, number by number.
std::vector<at::Tensor> rotary_one_by_one(const at::Tensor& x, const at::Tensor& g, const at::Tensor& positions,
                                          int64_t turned, double base) {
  at::Tensor y = x.clone(), dx = g.clone();
  const auto from = x.accessor<double, 4>(), slope = g.accessor<double, 4>();
  auto to = y.accessor<double, 4>(), back = dx.accessor<double, 4>();
  for (int64_t b = 0; b < x.size(0); ++b) {
    for (int64_t t = 0; t < x.size(1); ++t) {
      const auto position = static_cast<double>(positions[b][t].item<int64_t>());
      for (int64_t h = 0; h < x.size(2); ++h) {
        for (int64_t i = 0; i < turned / 2; ++i) {
          const int64_t j = i + turned / 2;
          const double angle = position * std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(turned));
          const double c = std::cos(angle), s = std::sin(angle);
          to[b][t][h][i] = from[b][t][h][i] * c - from[b][t][h][j] * s;
          to[b][t][h][j] = from[b][t][h][j] * c + from[b][t][h][i] * s;
          back[b][t][h][i] = slope[b][t][h][i] * c + slope[b][t][h][j] * s;
          back[b][t][h][j] = slope[b][t][h][j] * c - slope[b][t][h][i] * s;
        }
      }
    }
  }
  return {y, dx};
}

struct PartialErrors {
  double value = 0, gradient = 0;
};

PartialErrors partial_errors(Rotate rotate, int64_t width, int64_t turned) {
  const at::Tensor x = rotary_input({3, 9, 4, width}), g = rotary_input({3, 9, 4, width});
  const at::Tensor positions = rotary_positions(3, 9), a = x.detach().requires_grad_(true);
  const at::Tensor y = rotate(a, rotary_table(positions, rotary_frequencies(turned, 50.0), at::kDouble));
  const auto expected = rotary_one_by_one(x, g, positions, turned, 50.0);
  return {rotary_difference(y.detach(), expected[0]),
          rotary_difference(torch::autograd::grad({y}, {a}, {g})[0], expected[1])};
}

constexpr double kAngleTolerance = 1e-14;  // angles up to 9, whose rounding of 1e-15 is that of the sine

TEST(RotaryTest, EachRowTurnsByPositionsOfItsOwnAndInPart) {
  for (const auto& [width, turned] :
       std::vector<std::pair<int64_t, int64_t>>{{8, 8}, {64, 16}, {6, 2}, {80, 32}, {33, 32}, {128, 128}}) {
    for (const Rotate rotate : {rotate_heads, rotate_heads_plain}) {
      const PartialErrors errors = partial_errors(rotate, width, turned);
      EXPECT_LT(errors.value, kAngleTolerance) << width << ", " << turned;
      EXPECT_LT(errors.gradient, kAngleTolerance) << width << ", " << turned;
    }
  }
}

TEST(RotaryTest, OneTableForAllRowsIsCaught) {
  const ScopedTwin twin("kernel.rotary_first_rows_table");
  EXPECT_GT(partial_errors(rotate_heads, 64, 16).value, kAngleTolerance);
  EXPECT_GT(partial_errors(rotate_heads, 64, 16).gradient, kAngleTolerance);
}

TEST(RotaryTest, WhatIsNotTurnedPassesThrough) {
  const at::Tensor x = rotary_input({2, 5, 3, 40}, at::kFloat);
  const RotaryTable table = rotary_table(7, 5, 12, 100.0, at::kFloat);
  EXPECT_TRUE(rotate_heads(x, table).narrow(3, 12, 28).equal(x.narrow(3, 12, 28)));
  EXPECT_TRUE(rotate_heads(x, table).narrow(3, 0, 12).equal(rotate_heads(x.narrow(3, 0, 12), table)));
}

TEST(RotaryTest, ScoresDependOnTheDistanceAlone) {
  const at::Tensor q = rotary_input({1, 1, 1, 16}), k = rotary_input({1, 1, 1, 16});
  const auto score = [&](int64_t t, int64_t j) {
    const at::Tensor frequencies = llama3_scaled(rotary_frequencies(16, 1e4), 8, 1, 4, 64);
    const auto turn = [&](const at::Tensor& x, int64_t at) {
      return rotate_heads(x, rotary_table(at::tensor({at}, at::kLong), frequencies, at::kDouble));
    };
    return turn(q, t).mul(turn(k, j)).sum().item<double>();
  };
  EXPECT_NEAR(score(900, 893), score(7, 0), 1e-12);  // angles up to 900: 1e-13 of rounding each
  EXPECT_GT(std::abs(score(900, 892) - score(7, 0)), 1e-6);
}

// The three cases of the rule, one frequency at a time.
double llama3_error(double factor, double low, double high, double original) {
  const at::Tensor plain = rotary_frequencies(128, 500000.0),
                   scaled = llama3_scaled(plain, factor, low, high, original);
  double error = 0;
  for (int64_t i = 0; i < 64; ++i) {
    const double f = plain[i].item<double>(), wavelength = 2 * 3.14159265358979323846 / f;
    double expected = f;
    if (wavelength > original / low) {
      expected = f / factor;
    } else if (wavelength >= original / high) {
      const double share = (original / wavelength - low) / (high - low);
      expected = (1 - share) * f / factor + share * f;
    }
    error = std::max(error, std::abs(scaled[i].item<double>() / expected - 1));
  }
  return error;
}

TEST(RotaryTest, FrequenciesOfLlama3) {
  EXPECT_LT(llama3_error(8, 1, 4, 8192), 1e-14);
  EXPECT_LT(llama3_error(32, 1, 4, 8192), 1e-14);
  EXPECT_LT(llama3_error(4, 2, 3, 1000), 1e-14);
  const at::Tensor scaled = llama3_scaled(rotary_frequencies(128, 500000.0), 8, 1, 4, 8192);
  EXPECT_EQ(scaled[0].item<double>(), 1.0);
  EXPECT_NEAR(scaled[63].item<double>(), std::pow(500000.0, -126.0 / 128) / 8, 1e-20);
  const ScopedTwin twin("kernel.llama3_without_ramp");
  EXPECT_GT(llama3_error(8, 1, 4, 8192), 0.1);
}

}  // namespace
}  // namespace assay::kernel
