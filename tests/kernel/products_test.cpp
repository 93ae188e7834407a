// Products of bf16 and the sums that are made of them, against float64 on the same rounded inputs: what is left is the
// rounding of float32 sums. Layers forwards and backwards against at::linear in float64.
#include "assay/kernel/products.h"

#include <ATen/ops/einsum.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/cross_entropy.h"
#include "assay/kernel/example_tiles.h"
#include "assay/kernel/product_sums.h"

namespace assay::kernel {
namespace {

// A float32 sum of at most a few thousand products of one size: 6e-8 a step, relative to the largest result.
constexpr double kSums = 2e-6;
// An input rounded to bf16 is off by 2^-9 of itself at most; of a sum of K random products the errors add up like the
// products do, so that the result is off by about 2^-9 of its size. Twice that for its largest element.
constexpr double kOneRounding = 2.0 / 512;

at::Tensor halves(at::IntArrayRef shape) {
  return at::rand(shape).sub(0.5).to(at::kBFloat16);
}

double worst(const at::Tensor& found, const at::Tensor& expected) {
  return found.to(at::kDouble).sub(expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

TEST(ProductsTest, OfABatchEqualThoseOfItsExamples) {
  for (const int64_t depth : {1, 7, 300}) {
    for (const int64_t width : {3, 64, 200}) {
      const at::Tensor g = halves({5, depth, 33}), a = halves({5, depth, width});
      const at::Tensor found = batched_product(g.transpose(1, 2), a);
      EXPECT_EQ(found.scalar_type(), at::kFloat);
      EXPECT_LT(worst(found, at::einsum("bto,btm->bom", {g.to(at::kDouble), a.to(at::kDouble)})), kSums);
    }
  }
}

TEST(ProductsTest, SquaresAndGramOfBf16) {
  // examples, positions, rows, columns
  for (const auto& [examples, positions, height, width] :
       std::vector<std::array<int64_t, 4>>{{5, 7, 24, 33}, {3, 4, 640, 512}, {2, 65, 513, 700}}) {
    const at::Tensor g = halves({examples, positions, height}), a = halves({examples, positions, width});
    const at::Tensor squares_before = at::zeros({height, width}), gram_before = at::zeros({width, width});
    const at::Tensor dense = at::einsum("bto,btm->bom", {g.to(at::kDouble), a.to(at::kDouble)});
    const at::Tensor rows = a.flatten(0, 1).to(at::kDouble);
    const auto squares = [&] {
      const at::Tensor sum = squares_before.clone();
      add_squared_products(sum, g, a);
      return worst(sum, dense.square().sum(0));
    };
    const auto gram = [&] {
      const at::Tensor sum = gram_before.clone();
      add_gram(sum, a.flatten(0, 1));
      return worst(mirrored(sum), rows.t().matmul(rows));
    };
    EXPECT_LT(squares(), kSums);
    EXPECT_LT(gram(), kSums);
    {
      const ScopedTwin rounded("kernel.bf16_result_rounded");
      EXPECT_GT(gram(), 10 * kSums);
      if (!can_tile(g, a)) {
        EXPECT_GT(squares(), 10 * kSums);
      }
    }
    const ScopedTwin dropped("kernel.tiles_drop_an_example");
    if (can_tile(g, a)) {
      EXPECT_GT(squares(), 10 * kSums);
    }
  }
}

class Bf16Linear : public ::testing::Test {
 protected:
  Bf16Linear()
      : weight(at::rand({40, 40}).sub(0.3).to(at::kBFloat16)),
        bias(at::rand({40})),
        x(at::rand({2, 9, 40}).sub(0.5)),
        g(at::rand({2, 9, 40}).sub(0.5)) {}

  /// Gradients of x, weight and bias, and the output, against float64; each relative to its largest number.
  double error() const {
    const auto run = [&](at::ScalarType dtype, bool fused) {
      const at::Tensor input = x.to(dtype).clone().requires_grad_(true);
      const at::Tensor w = (fused ? weight : weight.to(dtype)).clone().requires_grad_(true);
      const at::Tensor b = bias.to(dtype).clone().requires_grad_(true);
      const at::Tensor y = fused ? kernel::linear(input, w, b) : at::linear(input, w, b);
      auto results = torch::autograd::grad({y}, {input, w, b}, {g.to(dtype)});
      results.push_back(y.detach());
      return results;
    };
    const auto found = run(at::kFloat, true), expected = run(at::kDouble, false);
    double most = 0;
    for (size_t i = 0; i < found.size(); ++i) most = std::max(most, worst(found[i], expected[i]));
    return most;
  }

  at::Tensor weight, bias, x, g;
};

TEST_F(Bf16Linear, ForwardsAndBackwards) {
  EXPECT_LT(error(), kOneRounding);
  const ScopedTwin twin("kernel.bf16_linear_transposed");
  EXPECT_GT(error(), 10 * kOneRounding);
}

TEST_F(Bf16Linear, AWeightThatLiesTransposedIsTheSame) {
  const at::Tensor y = kernel::linear(x, weight, bias);
  EXPECT_TRUE(kernel::linear(x, weight.t().contiguous().t(), bias).sub(y).abs().max().item<float>() < 1e-5F);
  EXPECT_TRUE(kernel::linear(x, weight, bias, x.to(at::kBFloat16)).equal(y));
  EXPECT_TRUE(kernel::linear(x, weight, at::Tensor()).add(bias).equal(y));
}

TEST(HeadOfBf16, LogProbabilitiesAndTheirGradient) {
  const at::Tensor head = halves({300, 24}).mul(4), start = at::rand({70, 24}).sub(0.5);
  std::vector<int64_t> chosen(70);
  for (size_t i = 0; i < chosen.size(); ++i) chosen[i] = static_cast<int64_t>(i * 37 % 300);
  const at::Tensor targets = at::tensor(chosen);
  const auto run = [&](at::ScalarType dtype, bool with_head) {
    const at::Tensor hidden = start.to(at::kBFloat16).to(dtype).requires_grad_(true);
    const at::Tensor values = with_head
                                  ? head_log_probabilities(hidden, head, given_targets(targets))
                                  : logit_log_probabilities(hidden.matmul(head.to(dtype).t()), given_targets(targets));
    return std::pair{values.detach(), torch::autograd::grad({values.sum()}, {hidden})[0]};
  };
  const auto found = run(at::kFloat, true), expected = run(at::kDouble, false);
  EXPECT_LT(worst(found.first, expected.first), 1e-5);            // the hidden states hold bf16: nothing is rounded
  EXPECT_LT(worst(found.second, expected.second), kOneRounding);  // the probabilities are
}

}  // namespace
}  // namespace assay::kernel
