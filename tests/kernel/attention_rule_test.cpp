// Windows, scales and padding against loops over single numbers in float64: values and all three gradients, through the
// kernel for narrow heads, through ATen's attention and through scores shown in between.
#include "assay/kernel/attention_rule.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/attention.h"
#include "assay/kernel/narrow_attention.h"

namespace assay::kernel {
namespace {

struct RuledCase {
  int64_t width, queries, keys, heads, groups;
  AttentionRule rule;
};

using Attend = std::function<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, const AttentionRule&)>;

at::Tensor attend_in_steps(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionRule& rule) {
  return mix_values(at::softmax(attention_scores(q, k, rule), -1), v);
}

struct Results {
  at::Tensor z, q, k, v;  // the values, and the gradients for a given one of z
  [[nodiscard]] std::vector<at::Tensor> all() const { return {z, q, k, v}; }
};

/// What the rule says, number by number. q, dz [B,H,T,K]; k, v [B,G,S,K]; float64.
Results one_by_one(const RuledCase& c, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const at::Tensor& dz) {
  const Results r{at::zeros_like(q), at::zeros_like(q), at::zeros_like(k), at::zeros_like(v)};
  const auto Q = q.accessor<double, 4>(), K = k.accessor<double, 4>(), V = v.accessor<double, 4>(),
             D = dz.accessor<double, 4>();
  auto Z = r.z.accessor<double, 4>(), dQ = r.q.accessor<double, 4>(), dK = r.k.accessor<double, 4>(),
       dV = r.v.accessor<double, 4>();
  const double scale = c.rule.scale != 0 ? c.rule.scale : 1 / std::sqrt(static_cast<double>(c.width));
  for (int64_t b = 0; b < q.size(0); ++b) {
    for (int64_t h = 0; h < c.heads; ++h) {
      const int64_t g = h / (c.heads / c.groups);
      for (int64_t row = 0; row < c.queries; ++row) {
        const int64_t t = c.keys - c.queries + row;
        const int64_t first = c.rule.first.defined() ? c.rule.first[b].item<int64_t>() : 0;
        std::vector<double> p(static_cast<size_t>(c.keys), 0), slope = p;
        double top = -INFINITY, total = 0, delta = 0;
        const auto sees = [&](int64_t j) {
          return j == t || (j <= t && (c.rule.window == 0 || t - j < c.rule.window) && j >= first);
        };
        for (int64_t j = 0; j < c.keys; ++j) {
          auto& score = p[static_cast<size_t>(j)];
          for (int64_t d = 0; d < c.width; ++d) score += Q[b][h][row][d] * K[b][g][j][d] * scale;
          if (sees(j)) top = std::max(top, score);
        }
        for (int64_t j = 0; j < c.keys; ++j) {
          auto& weight = p[static_cast<size_t>(j)];
          weight = sees(j) ? std::exp(weight - top) : 0;
          total += weight;
        }
        for (int64_t j = 0; j < c.keys; ++j) {
          p[static_cast<size_t>(j)] /= total;
          for (int64_t d = 0; d < c.width; ++d) {
            Z[b][h][row][d] += p[static_cast<size_t>(j)] * V[b][g][j][d];
            slope[static_cast<size_t>(j)] += D[b][h][row][d] * V[b][g][j][d];
          }
          delta += p[static_cast<size_t>(j)] * slope[static_cast<size_t>(j)];
        }
        for (int64_t j = 0; j < c.keys; ++j) {
          const double weight = p[static_cast<size_t>(j)];
          const double ds = weight * (slope[static_cast<size_t>(j)] - delta) * scale;
          for (int64_t d = 0; d < c.width; ++d) {
            dQ[b][h][row][d] += ds * K[b][g][j][d];
            dK[b][g][j][d] += ds * Q[b][h][row][d];
            dV[b][g][j][d] += weight * D[b][h][row][d];
          }
        }
      }
    }
  }
  return r;
}

/// Values, and gradients relative to the largest of the three.
struct RuledErrors {
  double values = 0, gradients = 0;
};

/// Numbers that bf16 holds, so that every type computes with the same.
at::Tensor ruled_heads(int64_t heads, int64_t positions, int64_t width) {
  return at::randn({3, positions, heads, width}).to(at::kBFloat16).to(at::kDouble).transpose(1, 2);
}

RuledErrors errors_of(const Attend& attend, const RuledCase& c, at::ScalarType type = at::kDouble) {
  const at::Tensor q = ruled_heads(c.heads, c.queries, c.width), k = ruled_heads(c.groups, c.keys, c.width);
  const at::Tensor v = ruled_heads(c.groups, c.keys, c.width), dz = ruled_heads(c.heads, c.queries, c.width);
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& x : {q, k, v}) inputs.push_back(x.to(type).detach().requires_grad_(true));
  const at::Tensor z = attend(inputs[0], inputs[1], inputs[2], c.rule);
  const std::vector<at::Tensor> gradients = torch::autograd::grad({z}, inputs, {dz.to(type)});
  const Results expected = one_by_one(c, q, k, v, dz);
  RuledErrors errors;
  errors.values = z.to(at::kDouble).sub(expected.z).abs().max().item<double>() / expected.z.abs().max().item<double>();
  double largest = 0;
  for (size_t i = 0; i < 3; ++i) {
    const at::Tensor exact = expected.all()[i + 1];
    largest = std::max(largest, exact.abs().max().item<double>());
    errors.gradients = std::max(errors.gradients, gradients[i].to(at::kDouble).sub(exact).abs().max().item<double>());
  }
  errors.gradients /= largest;
  return errors;
}

std::string name_of(const RuledCase& c) {
  const std::string first = c.rule.first.defined() ? ", padded" : "";
  return "K " + std::to_string(c.width) + ", T " + std::to_string(c.queries) + " of " + std::to_string(c.keys) +
         ", H " + std::to_string(c.heads) + " on " + std::to_string(c.groups) + ", window " +
         std::to_string(c.rule.window) + ", scale " + std::to_string(c.rule.scale) + first;
}

/// Every combination of scale, window and padding. Places of first real positions: none, inside, all but the last.
std::vector<RuledCase> rules_for(RuledCase shape) {
  std::vector<RuledCase> all;
  for (const double scale : {0.0, 1.0, 0.3}) {
    for (const int64_t window : {0, 1, 5, 16, 17, 1000}) {
      for (const bool padded : {false, true}) {
        shape.rule = {.scale = scale, .window = window, .first = {}};
        if (padded) shape.rule.first = at::tensor({int64_t{0}, shape.keys / 3, shape.keys - 1}, at::kLong);
        all.push_back(shape);
      }
    }
  }
  return all;
}

// Sums of at most 60 terms in float64.
constexpr double kRuledTolerance = 1e-12;

TEST(AttentionRuleTest, NarrowHeadsKeepEveryRule) {
  for (const RuledCase& shape :
       {RuledCase{8, 53, 53, 4, 2, {}}, RuledCase{4, 33, 33, 3, 3, {}}, RuledCase{16, 40, 40, 2, 1, {}}}) {
    const at::Tensor q = ruled_heads(shape.heads, shape.queries, shape.width);
    const at::Tensor k = ruled_heads(shape.groups, shape.keys, shape.width);
    ASSERT_TRUE(is_narrow_attention(q, k, k));
    for (const RuledCase& c : rules_for(shape)) {
      const RuledErrors errors = errors_of(causal_attention, c);
      EXPECT_LT(errors.values, kRuledTolerance) << name_of(c);
      EXPECT_LT(errors.gradients, kRuledTolerance) << name_of(c);
      const RuledErrors single = errors_of(causal_attention, c, at::kFloat);
      EXPECT_LT(single.values, 5e-6) << name_of(c);  // a rounding of a score of 30 is 2e-6 of its exponential
      EXPECT_LT(single.gradients, 3e-5) << name_of(c);
    }
  }
}

TEST(AttentionRuleTest, WideHeadsAndCachedKeysKeepEveryRule) {
  for (const RuledCase& shape : {RuledCase{24, 33, 33, 4, 2, {}}, RuledCase{24, 7, 40, 2, 2, {}},
                                 RuledCase{8, 1, 40, 4, 2, {}}, RuledCase{4, 20, 40, 2, 1, {}}}) {
    for (const RuledCase& c : rules_for(shape)) {
      const RuledErrors errors = errors_of(causal_attention, c);
      EXPECT_LT(errors.values, kRuledTolerance) << name_of(c);
      EXPECT_LT(errors.gradients, kRuledTolerance) << name_of(c);
    }
  }
}

TEST(AttentionRuleTest, ScoresShownInBetweenKeepEveryRule) {
  for (const RuledCase& shape : {RuledCase{24, 33, 33, 4, 2, {}}, RuledCase{8, 7, 40, 2, 2, {}}}) {
    for (const RuledCase& c : rules_for(shape)) {
      const RuledErrors errors = errors_of(attend_in_steps, c);
      EXPECT_LT(errors.values, kRuledTolerance) << name_of(c);
      EXPECT_LT(errors.gradients, kRuledTolerance) << name_of(c);
    }
  }
}

TEST(AttentionRuleTest, HalfWidthNumbersKeepEveryRule) {
  for (const RuledCase& c : rules_for({24, 33, 33, 4, 2, {}})) {
    const RuledErrors errors = errors_of(causal_attention, c, at::kBFloat16);
    EXPECT_LT(errors.values, 0.02) << name_of(c);  // a few roundings of 4e-3
    EXPECT_LT(errors.gradients, 0.04) << name_of(c);
  }
}

TEST(AttentionRuleTest, ABrokenRuleIsCaughtOnEveryPath) {
  const at::Tensor padding = at::tensor({0, 4, 20}, at::kLong);
  const RuledCase narrow{8, 40, 40, 4, 2, {.scale = 1, .window = 17, .first = padding}};
  const RuledCase wide{24, 40, 40, 4, 2, {.scale = 1, .window = 17, .first = padding}};
  for (const char* name :
       {"kernel.attention_window_one_too_wide", "kernel.attention_first_ignored", "kernel.attention_scale_ignored"}) {
    const ScopedTwin twin(name);
    for (const RuledCase& c : {narrow, wide}) {
      EXPECT_GT(errors_of(causal_attention, c).values, kRuledTolerance) << name << ", " << name_of(c);
      EXPECT_GT(errors_of(causal_attention, c).gradients, kRuledTolerance) << name << ", " << name_of(c);
      EXPECT_GT(errors_of(attend_in_steps, c).values, kRuledTolerance) << name << ", " << name_of(c);
    }
  }
}

TEST(AttentionRuleTest, ABackwardPassThatForgetsTheWindowIsCaught) {
  const ScopedTwin twin("kernel.narrow_backward_without_window");
  const RuledCase c{8, 40, 40, 4, 2, {.scale = 0, .window = 17, .first = {}}};
  EXPECT_LT(errors_of(causal_attention, c).values, kRuledTolerance);
  EXPECT_GT(errors_of(causal_attention, c).gradients, kRuledTolerance);
}

TEST(AttentionRuleTest, PaddingChangesNothingForTheRealPositions) {
  const int64_t pad = 19, real = 30;
  for (const int64_t width : {8, 24}) {
    const at::Tensor q = ruled_heads(4, real + pad, width), k = ruled_heads(2, real + pad, width);
    const AttentionRule padded{.scale = 0, .window = 11, .first = at::tensor({pad, pad, pad}, at::kLong)};
    const at::Tensor with = causal_attention(q, k, k, padded).narrow(2, pad, real);
    const at::Tensor keys = k.narrow(2, pad, real);
    const at::Tensor without =
        causal_attention(q.narrow(2, pad, real), keys, keys, {.scale = 0, .window = 11, .first = {}});
    EXPECT_LT(with.sub(without).abs().max().item<double>(), kRuledTolerance) << width;
  }
}

TEST(AttentionRuleTest, MaskedEntriesOfThePatternAreExactlyZero) {
  const at::Tensor q = ruled_heads(2, 12, 24);
  const AttentionRule rule{.scale = 1, .window = 3, .first = at::tensor({0, 5, 11}, at::kLong)};
  const at::Tensor pattern = at::softmax(attention_scores(q, q, rule), -1);
  EXPECT_LT(pattern.sum(-1).sub(1).abs().max().item<double>(), 1e-14);
  EXPECT_EQ(pattern[1][0][4][4].item<double>(), 1.0);  // padding sees itself alone
  EXPECT_EQ(pattern[1].narrow(2, 0, 5).narrow(1, 5, 7).abs().max().item<double>(), 0.0);
  EXPECT_EQ(pattern[0][0][11][8].item<double>(), 0.0);
  EXPECT_GT(pattern[0][0][11][9].item<double>(), 0.0);
}

}  // namespace
}  // namespace assay::kernel
