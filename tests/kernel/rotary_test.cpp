// Against the tensor operators and autograd, on heads narrower and wider than the lanes, packed and not.
#include "assay/kernel/rotary.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

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

}  // namespace
}  // namespace assay::kernel
