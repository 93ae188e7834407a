// The matrix unit's kernels against plain loops and float64: the layout of packed strips, depths in several pieces, the
// head's softmax with its mean and its draws. Where the processor has no such unit nothing here can run.
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/kernel/amx_exponential.h"
#include "assay/kernel/amx_head.h"
#include "assay/kernel/amx_packing.h"
#include "assay/kernel/bf16_product.h"
#include "assay/kernel/cross_entropy.h"
#include "tests/support/threads.h"

namespace assay::kernel {
namespace {

class Amx : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_amx()) GTEST_SKIP() << "this processor has no matrix unit for bf16, or the system does not grant it";
  }
};

at::Tensor rounded(const at::Tensor& x) {
  return x.to(at::kBFloat16);
}

double furthest(const at::Tensor& found, const at::Tensor& expected) {
  return found.to(at::kDouble).sub(expected).abs().max().item<double>();
}

#if defined(__x86_64__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // of the header of g++ 12
ASSAY_AMX float power_of_two_of(float x) {
  return _mm512_cvtss_f32(power_of_two(_mm512_set1_ps(x)));
}
#pragma GCC diagnostic pop

// 7.5e-8 of the polynomial and five roundings of at most 2^-24, some of which only the last sees.
TEST_F(Amx, PowersOfTwoOverTheWholeRange) {
  for (int i = -125 * 64; i < 128 * 64; ++i) {
    const float x = static_cast<float>(i) / 64 + 0.003F;
    EXPECT_NEAR(power_of_two_of(x) / std::exp2(static_cast<double>(x)), 1, 2e-7) << x;
  }
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(power_of_two_of(200), infinity);
  EXPECT_EQ(power_of_two_of(infinity), infinity);
  EXPECT_EQ(power_of_two_of(-200), 0);
  EXPECT_EQ(power_of_two_of(-infinity), 0);
  EXPECT_TRUE(std::isnan(power_of_two_of(std::nanf(""))));
}
#endif

// Left: word [row][pair]; right: word [pair][row]; of 32 rows at a time, 32 numbers of the depth after the other, two
// tiles of 16 rows.
TEST_F(Amx, PackedStripsLieAsTheUnitLoadsThem) {
  for (const int64_t rows : {1, 16, 17, 32, 33, 70, 160}) {
    for (const int64_t depth : {1, 2, 31, 32, 33, 64, 95}) {
      std::vector<uint16_t> numbers(static_cast<size_t>(rows * depth));
      for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint16_t>(i * 40503 + 7);
      for (const bool by_rows : {true, false}) {
        const Bf16View view{numbers.data(), rows, depth, by_rows ? depth : 1, by_rows ? 1 : rows};
        const auto number = [&](int64_t row, int64_t k) -> uint32_t {
          return row < rows && k < depth ? numbers[static_cast<size_t>(row * view.row_stride + k * view.column_stride)]
                                         : 0;
        };
        for (const AmxSide side : {AmxSide::Left, AmxSide::Right}) {
          std::vector<uint32_t> packed(static_cast<size_t>(packed_words(rows, depth)) + 16, 1);
          const auto shift = (64 - reinterpret_cast<uintptr_t>(packed.data()) % 64) % 64 / 4;
          pack_strips(view, side, 0, strips_of(rows), packed.data() + shift);
          int64_t wrong = 0;
          for (int64_t place = 0; place < packed_words(rows, depth); ++place) {
            const int64_t tile = place / kTileWords, down = place % kTileWords / 16, across = place % 16;
            const int64_t strip = tile / 2 / steps_of(depth), step = tile / 2 % steps_of(depth);
            const int64_t row = strip * kStrip + tile % 2 * kTileRows + (side == AmxSide::Left ? down : across);
            const int64_t k = step * kStepDepth + 2 * (side == AmxSide::Left ? across : down);
            wrong += packed[static_cast<size_t>(place) + shift] != (number(row, k) | number(row, k + 1) << 16);
          }
          EXPECT_EQ(wrong, 0) << rows << " x " << depth << (by_rows ? " rows" : " columns");
        }
      }
    }
  }
}

// Depths beyond 1,024 go through the unit in pieces. A sum of n terms in float32, mostly one against the other, is off
// by 6e-8 · sqrt(n) of a term: below 1e-6 of the sum of absolute products.
TEST_F(Amx, DepthsOfSeveralPieces) {
  const at::Tensor a = rounded(at::rand({300, 5000}).sub(0.5)), b = rounded(at::rand({5000, 270}).sub(0.5));
  const at::Tensor expected = at::mm(a.to(at::kDouble), b.to(at::kDouble));
  const double size = at::mm(a.to(at::kDouble).abs(), b.to(at::kDouble).abs()).max().item<double>();
  EXPECT_LT(furthest(bf16_product(a, b, Bf16Path::Amx), expected) / size, 1e-6);
  const ScopedTwin twin("kernel.amx_forgets_a_piece");
  EXPECT_GT(furthest(bf16_product(a, b, Bf16Path::Amx), expected) / size, 1e-3);
}

TEST_F(Amx, RowsHaveTheSameBitsOnAnyThreadsAndInAnyCompany) {
  const at::Tensor a = rounded(at::randn({333, 2500})), b = rounded(at::randn({2500, 100}));
  const at::Tensor all = bf16_product(a, b, Bf16Path::Amx);
  {
    const ScopedThreads one(1);
    EXPECT_TRUE(bf16_product(a, b, Bf16Path::Amx).equal(all));
  }
  EXPECT_TRUE(bf16_product(a.narrow(0, 130, 7), b, Bf16Path::Amx).equal(all.narrow(0, 130, 7)));
  EXPECT_TRUE(bf16_product(a, b.narrow(1, 40, 9), Bf16Path::Amx).equal(all.narrow(1, 40, 9)));
}

struct HeadCase {
  at::Tensor rows, head;
  at::Tensor logits() const { return at::mm(rows.to(at::kDouble), head.to(at::kDouble).t()); }
};

/// Several blocks of the vocabulary, the last one short; rows and width that fill no strip.
HeadCase drawn_case() {
  return {rounded(at::randn({70, 40})), rounded(at::randn({2001, 40}).mul(0.5))};
}

// Log-sums are of what is not rounded: 2e-7 a logit and its exponential. A mean is of shares rounded by 2^-9 each, of
// which the sum is taken too.
double log_sum_error(const HeadCase& c) {
  const AmxHead found(c.rows, c.head, true);
  const at::Tensor logits = c.logits(), level = std::get<0>(logits.max(1, true));
  const ScopedThreads one(1);
  return furthest(found.log_sums(), logits.sub(level).exp().sum(1).log().add(level.squeeze(1)));
}
double mean_error(const HeadCase& c) {
  const AmxHead found(c.rows, c.head, true);
  const at::Tensor expected = at::mm(at::softmax(c.logits(), 1), c.head.to(at::kDouble));
  return furthest(found.means(), expected) / c.head.abs().max().item<double>();
}

TEST_F(Amx, TheHeadsSoftmaxAndItsMean) {
  const HeadCase c = drawn_case();
  EXPECT_LT(log_sum_error(c), 2e-5);
  EXPECT_LT(mean_error(c), 2.0 / 512);
  EXPECT_FALSE(AmxHead(c.rows, c.head, false).means().defined());
  EXPECT_TRUE(AmxHead(c.rows, c.head, false).log_sums().equal(AmxHead(c.rows, c.head, true).log_sums()));
  for (const char* name : {"kernel.amx_head_counts_what_fills_a_strip", "kernel.power_of_two_of_degree_four"}) {
    const ScopedTwin twin(name);
    EXPECT_GT(log_sum_error(c), 1e-4) << name;
  }
  const ScopedThreads one(1);
  EXPECT_TRUE(AmxHead(c.rows.narrow(0, 33, 5), c.head, true)
                  .means()
                  .equal(AmxHead(c.rows, c.head, true).means().narrow(0, 33, 5)));
}

// A logit of the last block 200 above all before it: e^200 is no float, and what was summed before counts for nothing.
TEST_F(Amx, TheLevelOfARowMovesWithItsMean) {
  HeadCase c = drawn_case();
  c.rows.select(1, 0).fill_(1);
  c.head.select(0, 1990).zero_();
  c.head.select(0, 1990)[0] = 200;
  EXPECT_LT(log_sum_error(c), 2e-5 * 200);
  EXPECT_LT(mean_error(c), 2.0 / 512);
  const ScopedTwin twin("kernel.softmax_level_never_moves");
  EXPECT_FALSE(mean_error(c) < 2.0 / 512);
}

TEST_F(Amx, LogitsOfMinusInfinityHaveNoShare) {
  const at::Tensor rows = rounded(at::ones({3, 1})), finite = rounded(at::randn({100, 1}));
  const auto none = at::full({1500, 1}, -std::numeric_limits<double>::infinity());
  const HeadCase c{rows, at::cat({rounded(none), finite, rounded(none)})};
  EXPECT_LT(log_sum_error(c), 1e-5);
  const AmxHead wrong(rows, rounded(at::full({5, 1}, std::nan(""))), false);
  EXPECT_TRUE(std::isnan(wrong.log_sums()[0].item<double>()));
}

// What is drawn is the class in which the cumulative sum passes the number drawn. Shares are rounded by 2^-9 of
// themselves, so that no sum of them is off by more than 2^-9 of the whole, nor is the whole.
TEST_F(Amx, LabelsInvertTheCumulativeSum) {
  const HeadCase c = drawn_case();
  const at::Tensor sums = at::softmax(c.logits(), 1).cumsum(1);
  const auto wrong = [&] {
    int64_t count = 0;
    for (const uint64_t seed : {uint64_t{3}, uint64_t{4}, uint64_t{5}}) {
      std::vector<DrawKey> keys;
      for (uint64_t row = 0; row < 70; ++row) keys.push_back({row, 5});
      const at::Tensor labels = AmxHead(c.rows, c.head, false).draw(seed, keys.data());
      for (int64_t row = 0; row < 70; ++row) {
        const auto label = labels[row].item<int64_t>();
        const double uniform = random_uniform(seed, static_cast<uint64_t>(row), 5);
        const double above = sums[row][label].item<double>();
        const double below = label > 0 ? sums[row][label - 1].item<double>() : 0;
        count += uniform > above + 2.0 / 512 || uniform < below - 2.0 / 512;
      }
    }
    return count;
  };
  EXPECT_EQ(wrong(), 0);
  const ScopedTwin twin("kernel.drawn_from_the_first_piece");
  EXPECT_GT(wrong(), 100);
}

}  // namespace
}  // namespace assay::kernel
