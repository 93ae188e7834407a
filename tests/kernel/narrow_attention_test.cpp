// Against an explicit softmax in float64 and ATen's own derivatives of it. Widths that fill the registers and one that
// does not; lengths on both sides of a block of keys; heads alone and in groups; heads as the models store them.
#include "assay/kernel/narrow_attention.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/attention.h"

namespace assay::kernel {
namespace {

struct HeadShape {
  int64_t width, positions, heads, groups;
};

struct Inputs {
  at::Tensor q, k, v;
  /// Another type, and leaves of a graph of their own.
  [[nodiscard]] Inputs to(at::ScalarType type) const {
    return {q.to(type).detach(), k.to(type).detach(), v.to(type).detach()};
  }
  [[nodiscard]] std::vector<at::Tensor> all() const { return {q, k, v}; }
};

std::vector<HeadShape> shapes() {
  std::vector<HeadShape> all;
  for (const int64_t width : {3, 8, 16}) {
    for (const int64_t positions : {1, 15, 16, 17, 200}) {
      all.push_back({width, positions, 4, 2});
      all.push_back({width, positions, 3, 3});
    }
  }
  return all;
}

std::string name_of(const HeadShape& shape) {
  return "K " + std::to_string(shape.width) + ", T " + std::to_string(shape.positions) + ", H " +
         std::to_string(shape.heads) + " on " + std::to_string(shape.groups);
}

/// Heads [3,heads,positions,width] stored as [3,positions,heads,width]; float32 numbers, so that both types get them.
at::Tensor random_heads(int64_t heads, const HeadShape& shape) {
  return at::randn({3, shape.positions, heads, shape.width}, at::kFloat).to(at::kDouble).transpose(1, 2);
}

Inputs random_inputs(const HeadShape& shape) {
  return {random_heads(shape.heads, shape), random_heads(shape.groups, shape), random_heads(shape.groups, shape)};
}

at::Tensor explicit_attention(const Inputs& x) {
  const int64_t group = x.q.size(1) / x.k.size(1), positions = x.q.size(2);
  const at::Tensor k = x.k.repeat_interleave(group, 1), v = x.v.repeat_interleave(group, 1);
  const at::Tensor future = at::ones({positions, positions}, at::kBool).triu(1);
  return at::matmul(x.q, k.transpose(2, 3))
      .mul(1.0 / std::sqrt(static_cast<double>(x.q.size(3))))
      .masked_fill(future, -std::numeric_limits<double>::infinity())
      .softmax(-1)
      .matmul(v);
}

double head_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.to(at::kDouble).sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

double error_of_values(const HeadShape& shape, at::ScalarType type) {
  const Inputs x = random_inputs(shape), typed = x.to(type);
  return head_difference(causal_attention(typed.q, typed.k, typed.v), explicit_attention(x));
}

/// The largest error of a gradient, relative to the largest gradient of the three. With one position the gradients of
/// queries and keys are zero.
double error_of_gradients(const HeadShape& shape, at::ScalarType type) {
  const Inputs x = random_inputs(shape), typed = x.to(type);
  const at::Tensor slope = random_heads(shape.heads, shape);
  for (const at::Tensor& input : x.all()) input.set_requires_grad(true);
  for (const at::Tensor& input : typed.all()) input.set_requires_grad(true);
  const at::Tensor expected_out = explicit_attention(x);
  const at::Tensor out = causal_attention(typed.q, typed.k, typed.v);
  const auto expected = torch::autograd::grad({expected_out}, x.all(), {slope});
  const auto found = torch::autograd::grad({out}, typed.all(), {slope.to(type).contiguous()});
  double largest = 0, error = 0;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found[i].sizes(), expected[i].sizes());
    largest = std::max(largest, expected[i].abs().max().item<double>());
    error = std::max(error, found[i].to(at::kDouble).sub(expected[i]).abs().max().item<double>());
  }
  return error / largest;
}

// Sums of at most 200 terms; float32 loses what one rounding of a score does to its exponential.
constexpr double kValueTolerance = 1e-13, kSingleValueTolerance = 2e-6;
constexpr double kGradientTolerance = 1e-12, kSingleGradientTolerance = 2e-5;

TEST(NarrowAttentionTest, ValuesAreThoseOfAnExplicitSoftmax) {
  for (const HeadShape& shape : shapes()) {
    EXPECT_LT(error_of_values(shape, at::kDouble), kValueTolerance) << name_of(shape);
    EXPECT_LT(error_of_values(shape, at::kFloat), kSingleValueTolerance) << name_of(shape);
  }
}

TEST(NarrowAttentionTest, SeeingOnePositionAheadIsCaught) {
  const ScopedTwin twin("kernel.narrow_attention_sees_ahead");
  for (const int64_t positions : {15, 16, 17, 200}) {
    EXPECT_GT(error_of_values({8, positions, 4, 2}, at::kDouble), kValueTolerance);
    EXPECT_GT(error_of_values({8, positions, 4, 2}, at::kFloat), kSingleValueTolerance);
  }
}

TEST(NarrowAttentionTest, GradientsAreThoseOfAnExplicitSoftmax) {
  for (const HeadShape& shape : shapes()) {
    EXPECT_LT(error_of_gradients(shape, at::kDouble), kGradientTolerance) << name_of(shape);
    EXPECT_LT(error_of_gradients(shape, at::kFloat), kSingleGradientTolerance) << name_of(shape);
  }
}

TEST(NarrowAttentionTest, GradientsWithoutDeltaAreCaught) {
  const ScopedTwin twin("kernel.narrow_backward_without_delta");
  EXPECT_GT(error_of_gradients({8, 17, 4, 2}, at::kDouble), kGradientTolerance);
  EXPECT_GT(error_of_gradients({8, 17, 4, 2}, at::kFloat), kSingleGradientTolerance);
}

TEST(NarrowAttentionTest, AnyStridesAreTheSame) {
  const HeadShape shape{8, 37, 4, 2};
  const Inputs x = random_inputs(shape);
  const at::Tensor columns_first = x.k.transpose(2, 3).contiguous().transpose(2, 3);
  const at::Tensor one_value = x.v.narrow(0, 0, 1).expand_as(x.v);
  EXPECT_LT(head_difference(causal_attention(x.q.contiguous(), columns_first, one_value),
                            explicit_attention({x.q, x.k, one_value})),
            kValueTolerance);
}

TEST(NarrowAttentionTest, AGradientThatIsOneExpandedNumber) {
  const Inputs x = random_inputs({16, 40, 2, 1});
  for (const at::Tensor& input : x.all()) input.set_requires_grad(true);
  const auto expected = torch::autograd::grad({explicit_attention(x).sum()}, x.all());
  const auto found = torch::autograd::grad({causal_attention(x.q, x.k, x.v).sum()}, x.all());
  EXPECT_LT(head_difference(found[2], expected[2]), kGradientTolerance);
}

TEST(NarrowAttentionTest, OnlyTheGradientsAskedFor) {
  for (size_t only = 0; only < 3; ++only) {
    const Inputs x = random_inputs({8, 20, 4, 2});
    const at::Tensor asked = x.all()[only];
    asked.set_requires_grad(true);
    const at::Tensor slope = random_heads(4, {8, 20, 4, 2});
    const auto expected = torch::autograd::grad({explicit_attention(x)}, {asked}, {slope});
    causal_attention(x.q, x.k, x.v).backward(slope);
    EXPECT_LT(head_difference(asked.grad(), expected[0]), kGradientTolerance);
    for (size_t other = 0; other < 3; ++other) EXPECT_EQ(x.all()[other].grad().defined(), other == only);
  }
}

TEST(NarrowAttentionTest, NoHistoryWhereNoneIsWanted) {
  const Inputs x = random_inputs({8, 5, 2, 2});
  EXPECT_FALSE(causal_attention(x.q, x.k, x.v).requires_grad());
  x.q.set_requires_grad(true);
  EXPECT_TRUE(causal_attention(x.q, x.k, x.v).requires_grad());
  const at::NoGradGuard no_history;
  EXPECT_FALSE(causal_attention(x.q, x.k, x.v).requires_grad());
}

TEST(NarrowAttentionTest, TheSameBitsForAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  const Inputs x = random_inputs({8, 100, 4, 2}).to(at::kFloat);
  const at::Tensor slope = random_heads(4, {8, 100, 4, 2}).to(at::kFloat);
  for (const at::Tensor& input : x.all()) input.set_requires_grad(true);
  std::vector<std::vector<at::Tensor>> runs;
  for (const int count : {1, 2}) {
    at::set_num_threads(count);
    const at::Tensor out = causal_attention(x.q, x.k, x.v);
    runs.push_back(torch::autograd::grad({out}, x.all(), {slope}));
    runs.back().push_back(out.detach());
  }
  at::set_num_threads(threads);
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(runs[0][i].equal(runs[1][i]));
}

TEST(NarrowAttentionTest, LargeScoresStayFinite) {
  for (const auto type : {at::kDouble, at::kFloat}) {
    const Inputs drawn = random_inputs({8, 50, 4, 2});
    const Inputs x = Inputs{drawn.q.mul(1e3), drawn.k, drawn.v}.to(type);  // scores of thousands, of either sign
    for (const at::Tensor& input : x.all()) input.set_requires_grad(true);
    const at::Tensor out = causal_attention(x.q, x.k, x.v);
    EXPECT_TRUE(out.isfinite().all().item<bool>());
    for (const at::Tensor& gradient : torch::autograd::grad({out.square().sum()}, x.all())) {
      EXPECT_TRUE(gradient.isfinite().all().item<bool>());
    }
  }
}

}  // namespace
}  // namespace assay::kernel
