// Against products of the rounded inputs in float64, on every path that this machine can take: sizes on both sides of
// every seam, operands as they lie, transposed and cut out of wider ones.
#include "assay/kernel/bf16_product.h"

#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/bf16_adapter.h"
#include "assay/kernel/bf16_packing.h"

namespace assay::kernel {
namespace {

std::vector<Bf16Path> paths_here() {
  std::vector<Bf16Path> paths;
  for (const Bf16Path path : {Bf16Path::Amx, Bf16Path::Tiles, Bf16Path::Plain}) {
    if (can_take(path)) paths.push_back(path);
  }
  return paths;
}

at::Tensor drawn(int64_t rows, int64_t columns, at::ScalarType type = at::kBFloat16) {
  return at::rand({rows, columns}).sub(0.5).to(type);
}

at::Tensor widened(const at::Tensor& x) {
  return x.to(at::kBFloat16).to(at::kDouble);
}

/// The largest error, relative to the largest sum of absolute products.
double product_error(const at::Tensor& found, const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor left = widened(a), right = widened(b);
  const double size = at::mm(left.abs(), right.abs()).max().item<double>();
  return found.to(at::kDouble).sub(at::mm(left, right)).abs().max().item<double>() / size;
}

// A sum of 1,100 products in float32: each step rounds by 6e-8 of the sum so far, mostly one against the other.
constexpr double kProductTolerance = 1e-6;

TEST(Bf16ProductTest, SizesOnBothSidesOfEverySeam) {
  for (const Bf16Path path : paths_here()) {
    for (const int64_t rows : {1, 5, 63, 64, 65, 130}) {
      for (const int64_t columns : {1, 16, 64, 67, 200}) {
        for (const int64_t depth : {1, 2, 3, 31, 64, 513, 1100}) {
          const at::Tensor a = drawn(rows, depth), b = drawn(depth, columns);
          EXPECT_LT(product_error(bf16_product(a, b, path), a, b), kProductTolerance)
              << to_string(path) << ": " << rows << " x " << depth << " x " << columns;
        }
      }
    }
  }
}

TEST(Bf16ProductTest, OperandsThatLieTransposedOrInsideOthers) {
  const int64_t rows = 70, depth = 90, columns = 130;
  const std::vector<at::Tensor> lefts{
      drawn(rows, depth), drawn(depth, rows).t(), drawn(rows, 2 * depth).narrow(1, 7, depth),
      drawn(depth, 3 * rows).narrow(1, 11, rows).t(), drawn(rows, 2 * depth).slice(1, 0, 2 * depth, 2)};
  const std::vector<at::Tensor> rights{
      drawn(depth, columns), drawn(columns, depth).t(), drawn(depth, 2 * columns).narrow(1, 3, columns),
      drawn(columns, 2 * depth).narrow(1, 5, depth).t(), drawn(1, columns).expand({depth, columns})};
  for (const Bf16Path path : paths_here()) {
    for (const at::Tensor& a : lefts) {
      for (const at::Tensor& b : rights) {
        EXPECT_LT(product_error(bf16_product(a, b, path), a, b), kProductTolerance) << to_string(path);
        const at::Tensor single = a.to(at::kFloat).add(0.0001);
        EXPECT_LT(product_error(bf16_product(single, b, path), single, b), kProductTolerance) << to_string(path);
      }
    }
  }
}

TEST(Bf16ProductTest, SumsGoOnFromWhatWasThere) {
  for (const Bf16Path path : paths_here()) {
    for (const int64_t depth : {3, 700}) {
      const at::Tensor a = drawn(depth, 100), b = drawn(depth, 90), more = drawn(2, 100), other = drawn(2, 90);
      const at::Tensor wide = at::zeros({100, 120}), sum = wide.narrow(1, 10, 90);
      add_bf16_product(sum, a.t(), b, path);
      add_bf16_product(sum, more.t(), other, path);
      const at::Tensor expected = at::mm(widened(a.t()), widened(b)).add(at::mm(widened(more.t()), widened(other)));
      EXPECT_LT(sum.to(at::kDouble).sub(expected).abs().max().item<double>(), 0.25 * 700 * kProductTolerance);
      EXPECT_EQ(wide.narrow(1, 0, 10).abs().max().item<float>(), 0);
      EXPECT_EQ(wide.narrow(1, 100, 20).abs().max().item<float>(), 0);
    }
  }
}

TEST(Bf16ProductTest, AResultRoundedToBf16IsCaught) {
  const ScopedTwin twin("kernel.bf16_result_rounded");
  for (const Bf16Path path : paths_here()) {
    const at::Tensor a = drawn(64, 64), b = drawn(64, 64);
    EXPECT_GT(product_error(bf16_product(a, b, path), a, b), 10 * kProductTolerance) << to_string(path);
  }
}

TEST(Bf16ProductTest, LeadingSizesStay) {
  const at::Tensor x = drawn(6, 20, at::kFloat), w = drawn(7, 20, at::kFloat);
  const at::Tensor y = bf16_product(x.view({2, 3, 20}), w.t());
  EXPECT_EQ(y.sizes(), (std::vector<int64_t>{2, 3, 7}));
  EXPECT_TRUE(y.view({6, 7}).equal(bf16_product(x, w.t())));
  EXPECT_EQ(y.scalar_type(), at::kFloat);
  EXPECT_EQ(bf16_product(x.narrow(0, 0, 0), w.t()).sizes(), (std::vector<int64_t>{0, 7}));
  EXPECT_EQ(bf16_product(x.narrow(1, 0, 0), w.narrow(1, 0, 0).t()).abs().max().item<float>(), 0);
}

TEST(Bf16ProductTest, TilesGiveTheSameBitsForAnyThreads) {
  if (!can_take(Bf16Path::Tiles)) GTEST_SKIP() << "this processor has no micro-kernel for bf16";
  const int threads = at::get_num_threads();
  const at::Tensor a = drawn(300, 700), b = drawn(500, 700).t();
  at::set_num_threads(1);
  const at::Tensor one = bf16_product(a, b, Bf16Path::Tiles);
  at::set_num_threads(2);
  const at::Tensor two = bf16_product(a, b, Bf16Path::Tiles);
  at::set_num_threads(threads);
  EXPECT_TRUE(one.equal(two));
  EXPECT_TRUE(bf16_product(a.narrow(0, 64, 100), b, Bf16Path::Tiles).equal(one.narrow(0, 64, 100)));
}

TEST(Bf16ProductTest, WithoutTheFunctionsTheProductsArePlain) {
  const at::Tensor a = drawn(30, 40, at::kFloat), b = drawn(40, 50, at::kFloat);
  EXPECT_TRUE(can_take(bf16_path()));
  EXPECT_LT(product_error(bf16_product(a, b), a, b), kProductTolerance);
  const ScopedTwin twin("kernel.bf16_functions_absent");
  EXPECT_EQ(bf16_path(), Bf16Path::Plain);
  EXPECT_EQ(paths_here().size(), 1u);
  EXPECT_LT(product_error(bf16_product(a, b), a, b), kProductTolerance);
}

// ---- functions that are not what their names say ----

void tile_that_forgets(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc, bool /*add*/,
                       const at::BFloat16* a, const at::BFloat16* b, float* c, bool) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t d = 0; d < k; ++d) {
        sum += static_cast<float>(a[i * lda + d]) * static_cast<float>(b[(d / 2 * ldb + j) * 2 + d % 2]);
      }
      c[i * ldc + j] = sum;
    }
  }
}

void tile_that_throws(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, const at::BFloat16*,
                      const at::BFloat16*, float*, bool) {
  throw std::runtime_error("no such instruction");
}

void release_nothing(bool) {}

TEST(Bf16AdapterTest, FunctionsThatAreWrongOrThrowCountAsAbsent) {
  const Bf16Functions wrong{.tile = tile_that_forgets, .release = release_nothing};
  EXPECT_EQ(tried(wrong).tile, nullptr);
  EXPECT_EQ(tried({.tile = tile_that_throws, .release = release_nothing}).tile, nullptr);
  EXPECT_EQ(tried({.tile = bf16_functions().tile, .release = nullptr}).tile, nullptr);
  const ScopedTwin twin("kernel.bf16_trial_believes");
  EXPECT_NE(tried(wrong).tile, nullptr);
}

// ---- packing ----

TEST(Bf16PackingTest, PairsAndRowsAreThoseOfALoop) {
  for (const int64_t rows : {1, 2, 15, 16, 33, 64, 65, 130}) {
    for (const int64_t columns : {1, 2, 16, 17, 64, 67, 129}) {
      std::vector<uint16_t> numbers(static_cast<size_t>(rows * columns));
      for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint16_t>(i * 40503 + 7);
      const Bf16View lying{numbers.data(), rows, columns, columns, 1}, turned = lying.transposed();
      for (const Bf16View& view : {lying, turned}) {
        const auto at = [&](int64_t i, int64_t j) -> uint32_t {
          return i < view.rows && j < view.columns ? view.data[i * view.row_stride + j * view.column_stride] : 0;
        };
        const int64_t down = (view.rows + 1) / 2, across = (view.columns + 1) / 2;
        std::vector<uint32_t> pairs(static_cast<size_t>(down * view.columns)), pairs_expected = pairs;
        std::vector<uint32_t> words(static_cast<size_t>(view.rows * across)), words_expected = words;
        for (int64_t k = 0; k < down; ++k) {
          for (int64_t j = 0; j < view.columns; ++j) {
            pairs_expected[static_cast<size_t>(k * view.columns + j)] = at(2 * k, j) | at(2 * k + 1, j) << 16;
          }
        }
        for (int64_t i = 0; i < view.rows; ++i) {
          for (int64_t k = 0; k < across; ++k) {
            words_expected[static_cast<size_t>(i * across + k)] = at(i, 2 * k) | at(i, 2 * k + 1) << 16;
          }
        }
        pack_pairs(view, pairs.data());
        pack_rows(view, words.data());
        EXPECT_EQ(pairs, pairs_expected) << rows << " x " << columns;
        EXPECT_EQ(words, words_expected) << rows << " x " << columns;
      }
    }
  }
}

}  // namespace
}  // namespace assay::kernel
