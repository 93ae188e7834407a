// Narrow heads on the matrix unit against ATen's operators in float64: widths of one step and of two, lengths on both
// sides of tiles, panels and strips, windows, padding, grouped heads. Values and all three gradients.
#include "assay/kernel/narrow_bf16_attention.h"

#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/attention.h"

namespace assay::kernel {
namespace {

struct NarrowCase {
  std::string name;
  int64_t positions, heads, groups, width;
  AttentionRule rule;
  double size = 1;  // of queries
};

// p, ds and the operands beside them are rounded by 2^-9 at most, 2^-10.8 in the mean square; a gradient passes two
// such products, and δ is that of rounded values. Norm by norm three times 2^-9 leaves room. A score that is off by
// 2^-16 of itself changes its share by as much times the score.
constexpr double kRounded = 3.0 / 512;
double bound(const NarrowCase& c) {
  const double largest = 4 * c.size * (c.rule.scale > 0 ? c.rule.scale * std::sqrt(static_cast<double>(c.width)) : 1);
  return kRounded + largest / 32768;
}

std::vector<at::Tensor> values_and_gradients(const at::Tensor& z, const std::vector<at::Tensor>& inputs,
                                             const at::Tensor& dz) {
  auto results = torch::autograd::grad({z}, inputs, {dz.to(z.scalar_type())});
  results.push_back(z.detach());
  return results;
}

double error_of(const NarrowCase& c) {
  const at::Tensor q = at::randn({2, c.positions, c.heads, c.width}).mul(c.size).transpose(1, 2);
  const at::Tensor k = at::randn({2, c.groups, c.positions, c.width});
  const at::Tensor v = at::randn({2, c.positions, c.groups, c.width}).transpose(1, 2);
  const at::Tensor dz = at::randn({2, c.heads, c.positions, c.width});
  const auto inputs = [&](at::ScalarType dtype) {
    std::vector<at::Tensor> all;
    for (const at::Tensor& x : {q, k, v}) all.push_back(x.to(dtype).detach().requires_grad_(true));
    return all;
  };
  const auto a = inputs(at::kFloat), b = inputs(at::kDouble);
  AttentionRule rule = c.rule;
  rule.in_bf16 = true;
  const auto found = values_and_gradients(causal_attention(a[0], a[1], a[2], rule), a, dz);
  const auto expected =
      values_and_gradients(mix_values(at::softmax(attention_scores(b[0], b[1], c.rule), -1), b[2]), b, dz);
  double worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double error = found[i].to(at::kDouble).sub(expected[i]).norm().item<double>();
    // Of one position no score has a gradient: its error is measured by that of z.
    worst = std::max(worst, error / std::max(expected[i].norm().item<double>(), 0.01 * dz.norm().item<double>()));
  }
  return worst;
}

std::vector<NarrowCase> narrow_cases() {
  std::vector<NarrowCase> all;
  const at::Tensor first = at::tensor({0, 21}, at::kLong);
  for (const int64_t width : {3, 8, 11, 16}) {
    for (const int64_t positions : {1, 15, 16, 17, 31, 33, 48, 200}) {
      const std::string name = "K " + std::to_string(width) + ", T " + std::to_string(positions);
      all.push_back({name, positions, 4, 2, width, {}});
    }
  }
  all.push_back({"padding", 50, 2, 2, 8, {.scale = 0, .window = 0, .first = first}});
  all.push_back({"window", 150, 2, 1, 8, {.scale = 0, .window = 17, .first = {}}});
  all.push_back({"window of one", 40, 2, 2, 16, {.scale = 0, .window = 1, .first = {}}});
  all.push_back({"padding and window", 90, 3, 3, 8, {.scale = 0.3, .window = 20, .first = first}});
  // Scores of two hundred: the largest far above those beside a query's own key.
  all.push_back({"steep", 150, 2, 2, 8, {.scale = 1, .window = 0, .first = {}}, 20});
  return all;
}

const NarrowCase& named(const std::vector<NarrowCase>& cases, const std::string& name) {
  return *std::ranges::find(cases, name, &NarrowCase::name);
}

TEST(NarrowBf16Attention, ValuesAndGradientsOfEveryRule) {
  const at::Tensor some = at::randn({1, 1, 40, 8});
  if (!is_narrow_bf16_attention(some, some, some)) GTEST_SKIP() << "this processor has no matrix unit for bf16";
  const auto cases = narrow_cases();
  for (const NarrowCase& c : cases) EXPECT_LT(error_of(c), bound(c)) << c.name;
  {
    const ScopedTwin twin("kernel.narrow_bf16_attention_sees_ahead");
    EXPECT_GT(error_of(named(cases, "K 8, T 33")), 10 * kRounded);
    EXPECT_GT(error_of(named(cases, "window")), 10 * kRounded);
  }
  {
    const ScopedTwin twin("kernel.narrow_bf16_attention_keeps_its_level");
    EXPECT_FALSE(error_of(named(cases, "steep")) < 10 * kRounded);  // or it is not a number
  }
  const ScopedTwin twin("kernel.narrow_bf16_attention_without_delta");
  EXPECT_GT(error_of(named(cases, "K 16, T 48")), 10 * kRounded);
}

// What rounding takes off queries and keys is multiplied, too: else scores of forty would be off by 2^-9 of that.
TEST(NarrowBf16Attention, ScoresAreThoseOfFloat32) {
  const at::Tensor some = at::randn({1, 1, 40, 8});
  if (!is_narrow_bf16_attention(some, some, some)) GTEST_SKIP() << "this processor has no matrix unit for bf16";
  const NarrowCase large{"large scores", 64, 2, 2, 8, {.scale = 1, .window = 0, .first = {}}, 12};
  EXPECT_LT(error_of(large), bound(large));
  const ScopedTwin twin("kernel.narrow_bf16_attention_rounds_scores");
  EXPECT_GT(error_of(large), 2 * bound(large));
}

}  // namespace
}  // namespace assay::kernel
