#include "assay/kernel/head_softmax.h"

#include <ATen/Context.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/kernel/cross_entropy.h"
#include "tests/support/threads.h"

namespace assay::kernel {
namespace {

constexpr double kBf16Rounding = 1.0 / 256;  // twice the 2^-9 of one number

double furthest(const at::Tensor& found, const at::Tensor& expected) {
  return found.to(at::kDouble).sub(expected).abs().max().item<double>();
}

double log_sum_error(const at::Tensor& rows, const at::Tensor& head) {
  const HeadSoftmax found = head_softmax(rows, head);
  // LibTorch's first exponentials of a process are off by 1e-10 on all threads but the calling one, now and then.
  const ScopedThreads one(1);
  const at::Tensor expected = at::logsumexp(rows.to(at::kDouble).matmul(head.to(at::kDouble).t()), {1});
  return furthest(found.sums.log().add(found.levels), expected);
}

double share_error(const at::Tensor& rows, const at::Tensor& head) {
  const HeadSoftmax found = head_softmax(rows, head);
  const at::Tensor expected = at::softmax(rows.to(at::kDouble).matmul(head.to(at::kDouble).t()), 1);
  return furthest(found.exponentials.to(at::kDouble).div(found.sums.to(at::kDouble).unsqueeze(1)), expected);
}

// Three blocks of the vocabulary, the last one short. Numbers that bf16 holds, so that only what is kept is rounded.
TEST(HeadSoftmax, IsTheSoftmaxInEveryType) {
  const at::Tensor rows = at::randn({7, 16}).to(at::kBFloat16), head = at::randn({9001, 16}).to(at::kBFloat16);
  for (const auto& [type, tolerance] :
       {std::pair{at::kDouble, 1e-12}, std::pair{at::kFloat, 1e-5}, std::pair{at::kBFloat16, kBf16Rounding}}) {
    EXPECT_LT(log_sum_error(rows.to(type), head.to(type)),
              std::min(tolerance, 1e-5));  // sums are of what is not rounded
    EXPECT_LT(share_error(rows.to(type), head.to(type)), tolerance);
  }
}

// A logit of the last block 200 above all before it: e^200 is no float. One that is 70 above only moves the level.
TEST(HeadSoftmax, TheLevelFollowsALogitFarAboveTheFirstBlock) {
  const at::Tensor rows = at::ones({3, 1}), quiet = at::randn({8500, 1});
  for (const double far : {70.0, 200.0}) {
    const at::Tensor head = at::cat({quiet, at::full({1, 1}, far), at::full({1, 1}, far - 1)});
    EXPECT_LT(log_sum_error(rows, head), 1e-4);  // 200 has its neighbour at 1.5e-5
    EXPECT_LT(share_error(rows, head), 1e-5);
  }
  const at::Tensor head = at::cat({quiet, at::full({1, 1}, 200.0)});
  const ScopedTwin twin("kernel.softmax_level_never_moves");
  EXPECT_GT(log_sum_error(rows, head), 1);
}

// The gradients of both, over two chunks of rows in float64: 9,000 classes are 72 kB a row, of which 64 MiB make one.
TEST(HeadLogProbabilities, GradientsOfHiddenStatesAndHead) {
  at::manual_seed(3);
  std::vector<int64_t> chosen(1000);
  for (size_t i = 0; i < chosen.size(); ++i) chosen[i] = static_cast<int64_t>(i * 7 % 9000);
  const at::Tensor targets = at::tensor(chosen), factors = at::rand({1000}, at::kDouble);
  const at::Tensor start = at::randn({1000, 4}, at::kDouble), weights = at::randn({9000, 4}, at::kDouble);
  const auto gradients = [&](at::ScalarType dtype, bool in_one) {
    const at::Tensor hidden =
        start.to(at::kBFloat16).to(dtype == at::kDouble ? dtype : at::kFloat).requires_grad_(true);
    const at::Tensor head = weights.to(at::kBFloat16).to(dtype).requires_grad_(true);
    const at::Tensor values = in_one ? head_log_probabilities(hidden, head, given_targets(targets))
                                     : logit_log_probabilities(hidden.matmul(head.t()), given_targets(targets));
    auto found = torch::autograd::grad({values}, {hidden, head}, {factors.to(values.scalar_type())});
    found.push_back(values.detach());
    return found;
  };
  const auto expected = gradients(at::kDouble, false);
  const auto error = [&](at::ScalarType dtype) {
    const auto found = gradients(dtype, true);
    double most = 0;
    for (size_t i = 0; i < found.size(); ++i)
      most = std::max(most, furthest(found[i], expected[i]) / expected[i].abs().max().item<double>());
    return most;
  };
  EXPECT_LT(error(at::kDouble), 1e-12);
  EXPECT_LT(error(at::kFloat), 1e-5);
  EXPECT_LT(error(at::kBFloat16), kBf16Rounding);
  for (const char* name : {"kernel.head_slope_without_targets", "kernel.head_slope_of_the_last_chunk"}) {
    const ScopedTwin twin(name);
    EXPECT_GT(error(at::kDouble), 0.1) << name;
  }
}

// A prediction that is all but certain, of a class far from the first block: what is left of its slope is what is
// missing to 1, not the rounding of e^20; and a log-probability is never above 0.
TEST(HeadLogProbabilities, OfACertainPredictionAreNextToNothing) {
  const at::Tensor head = at::cat({at::full({1, 1}, 10.0), at::zeros({6000, 1}), at::full({1, 1}, 30.4)});
  const at::Tensor targets = at::full({2}, int64_t{6001}, at::kLong);
  const auto slope = [&](at::ScalarType type) {
    const at::Tensor hidden = at::ones({2, 1}, type == at::kDouble ? type : at::kFloat).requires_grad_(true);
    const at::Tensor values = head_log_probabilities(hidden, head.to(type), given_targets(targets));
    EXPECT_LE(values.max().item<double>(), 0);
    EXPECT_GT(values.min().item<double>(), -1e-6);
    return torch::autograd::grad({values.sum()}, {hidden})[0].abs().max().item<double>();
  };
  for (const auto type : {at::kDouble, at::kFloat}) EXPECT_LT(slope(type), 1e-5) << type;
  EXPECT_LT(slope(at::kBFloat16), 1e-3);  // e^20 in bf16 is off by up to 2^-9, times 30
  const ScopedTwin twin("kernel.head_slope_by_the_other_sum");
  EXPECT_GT(slope(at::kBFloat16), 1e-3);
}

// Nor is one of logits around 1,000, whose difference to the level has lost all but four digits after the point.
TEST(HeadLogProbabilities, AreNeverAboveZero) {
  at::manual_seed(0);
  const at::Tensor best = at::rand({64, 1}).mul(4).add(1020), rows = at::eye(64);
  const at::Tensor head = at::cat({at::full({5000, 64}, 1000.0), best.t()}), targets = at::full({64}, 5000, at::kLong);
  const auto furthest = [&] {
    const at::Tensor values = head_log_probabilities(rows, head, given_targets(targets));
    const at::Tensor exact = at::log_softmax(head.t().to(at::kDouble), 1).select(1, 5000);
    return std::max(values.max().item<double>(), values.sub(exact).abs().max().item<double>());
  };
  EXPECT_LE(furthest(), 1e-7);  // a share of 1 - 1e-5 in float32, and its sum's rounding
  const ScopedTwin twin("kernel.certain_by_a_difference");
  EXPECT_GT(furthest(), 5e-7);
}

// Logits of -inf have no share, wherever they are; with nothing else the result is not a number.
TEST(HeadSoftmax, LogitsOfMinusInfinityHaveNoShare) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const at::Tensor rows = at::ones({1, 1}), finite = at::randn({100, 1});
  const at::Tensor head = at::cat({at::full({5000, 1}, -kInfinity), finite});
  const auto is_right = [&] {
    const HeadSoftmax found = head_softmax(rows, head);
    const double sum = found.sums.log().add(found.levels).item<double>();
    const float least = found.exponentials.narrow(1, 0, 5000).abs().max().item<float>();
    return std::abs(sum - at::logsumexp(finite.to(at::kDouble), {0}).item<double>()) < 1e-5 &&
           least < 2e-38F;  // the least that there is
  };
  EXPECT_TRUE(is_right());
  EXPECT_TRUE(std::isnan(head_softmax(rows, at::full({5, 1}, std::nan(""))).sums.item<double>()));
  const ScopedTwin twin("kernel.softmax_of_nothing");
  EXPECT_FALSE(is_right());
}

// What is drawn is the first class whose cumulative sum passes the number drawn: the piece that holds it, then the
// class.
TEST(DrawnTargets, InvertTheCumulativeSum) {
  for (const int64_t classes : {int64_t{3}, int64_t{512}, int64_t{513}, int64_t{5000}}) {
    const at::Tensor shares = at::rand({40, classes}, at::kDouble).square();
    std::vector<DrawKey> keys;
    std::vector<double> uniform;
    for (uint64_t row = 0; row < 40; ++row) {
      keys.push_back({row, 5});
      uniform.push_back(random_uniform(9, row, 5));
    }
    const at::Tensor sums = shares.cumsum(1), level = at::tensor(uniform).to(at::kDouble).unsqueeze(1);
    const at::Tensor expected = sums.le(level.mul(sums.narrow(1, classes - 1, 1))).sum(1);
    const auto wrong = [&] { return drawn_targets(9, keys)(HeldShares(shares), 0).ne(expected).sum().item<int64_t>(); };
    EXPECT_EQ(wrong(), 0);
    if (classes < 5000) continue;
    const ScopedTwin twin("kernel.drawn_from_the_first_piece");
    EXPECT_GT(wrong(), 20);
  }
}

}  // namespace
}  // namespace assay::kernel
