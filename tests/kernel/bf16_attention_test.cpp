// Attention by products of bf16 against ATen's operators in float64: windows, padding, grouped heads, more keys than
// queries, lengths on both sides of a block of queries. Values and all three gradients.
#include "assay/kernel/bf16_attention.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/attention.h"

namespace assay::kernel {
namespace {

// Of each product one input or two are rounded by 2^-9 at most and 2^-10.8 in the mean square; a gradient passes four
// products one after the other, where softmax takes a difference. Norm by norm four times 2^-9 leaves room.
constexpr double kRounded = 4.0 / 512;

struct WideCase {
  std::string name;
  int64_t queries, keys, heads, groups, width;
  AttentionRule rule;
};

std::vector<at::Tensor> with_gradients(const at::Tensor& z, const std::vector<at::Tensor>& inputs,
                                       const at::Tensor& dz) {
  auto results = torch::autograd::grad({z}, inputs, {dz.to(z.scalar_type())});
  results.push_back(z.detach());
  return results;
}

double error_of(const WideCase& c) {
  at::Tensor q = at::randn({2, c.heads, c.queries, c.width}), k = at::randn({2, c.groups, c.keys, c.width});
  at::Tensor v = at::randn({2, c.keys, c.groups, c.width}).transpose(1, 2);
  const at::Tensor dz = at::randn({2, c.heads, c.queries, c.width});
  const auto inputs = [&](at::ScalarType dtype) {
    std::vector<at::Tensor> all;
    for (const at::Tensor& x : {q, k, v}) all.push_back(x.to(at::kBFloat16).to(dtype).requires_grad_(true));
    return all;
  };
  const auto a = inputs(at::kFloat), b = inputs(at::kDouble);
  AttentionRule rule = c.rule;
  rule.in_bf16 = true;
  const auto found = with_gradients(causal_attention(a[0], a[1], a[2], rule), a, dz);
  const auto expected = with_gradients(mix_values(at::softmax(attention_scores(b[0], b[1], c.rule), -1), b[2]), b, dz);
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = found[i].to(at::kDouble).sub(expected[i]).norm().item<double>();
    worst = std::max(worst, error / expected[i].norm().item<double>());
  }
  return worst;
}

std::vector<WideCase> wide_cases() {
  const at::Tensor first = at::tensor({0, 5}, at::kLong);
  return {{"plain", 40, 40, 2, 2, 32, {}},
          {"seams", 300, 300, 2, 2, 64, {}},
          {"one block exactly", 128, 128, 3, 1, 24, {}},
          {"groups", 33, 33, 6, 2, 20, {}},
          {"window", 200, 200, 2, 1, 32, {.scale = 0, .window = 17, .first = {}}},
          {"more keys", 20, 150, 4, 2, 32, {}},
          {"padding", 30, 30, 2, 2, 32, {.scale = 0.2, .window = 0, .first = first}},
          {"padding and window", 160, 170, 2, 2, 32, {.scale = 0, .window = 9, .first = first}}};
}

TEST(Bf16Attention, ValuesAndGradientsOfEveryRule) {
  const at::Tensor some = at::randn({1, 1, 40, 32});
  if (!is_bf16_attention(some, some, some)) GTEST_SKIP() << "this processor has no matrix unit for bf16";
  for (const WideCase& c : wide_cases()) EXPECT_LT(error_of(c), kRounded) << c.name;
  {
    const ScopedTwin twin("kernel.bf16_attention_sees_whole_panels");
    EXPECT_GT(error_of(wide_cases()[4]), 10 * kRounded);  // a window
    EXPECT_GT(error_of(wide_cases()[6]), 10 * kRounded);  // padding
  }
  const ScopedTwin twin("kernel.bf16_attention_slope_not_centred");
  EXPECT_GT(error_of(wide_cases()[0]), 10 * kRounded);
}

TEST(Bf16Attention, IsNotTakenWhereItIsNotAskedFor) {
  const at::Tensor x = at::randn({1, 2, 40, 32});
  const at::Tensor exact = causal_attention(x.to(at::kDouble), x.to(at::kDouble), x.to(at::kDouble));
  const double error = causal_attention(x, x, x).to(at::kDouble).sub(exact).abs().max().item<double>();
  EXPECT_LT(error, 1e-5);
}

}  // namespace
}  // namespace assay::kernel
