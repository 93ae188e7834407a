// Against the plain forms in float64. Shapes on both sides of every seam: layers small and large, tiles that divide the
// rows and tiles that do not, one example, one position, blocks of the Gram matrix whole and cut.
#include "assay/kernel/product_sums.h"

#include <ATen/ops/einsum.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

struct Shape {
  int64_t examples, positions, rows, columns;
};

at::Tensor uniform(at::IntArrayRef shape) {
  return at::rand(shape, at::kDouble).sub(0.5);
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>() / b.abs().max().item<double>();
}

// Rounding of float64 sums of a few hundred terms stays below 1e-13 of the largest element.
constexpr double kTolerance = 1e-13;

double error_of_squares(const Shape& shape) {
  const at::Tensor g = uniform({shape.examples, shape.positions, shape.rows});
  const at::Tensor a = uniform({shape.examples, shape.positions, shape.columns});
  const at::Tensor before = uniform({shape.rows, shape.columns});
  const at::Tensor sum = before.clone();
  add_squared_products(sum, g, a);
  return difference(sum, before.add(at::einsum("bto,btm->bom", {g, a}).square().sum(0)));
}

double error_of_gram(int64_t rows, int64_t width) {
  const at::Tensor a = uniform({rows, width}), more = uniform({3, width});
  const at::Tensor sum = at::zeros({width, width}, at::kDouble);
  add_gram(sum, a);
  add_gram(sum, more);
  return difference(mirrored(sum), a.t().matmul(a).add(more.t().matmul(more)));
}

TEST(ProductSumsTest, SquaresOfEachExamplesProduct) {
  for (const Shape& shape : {Shape{5, 7, 24, 33}, Shape{1, 1, 1, 1}, Shape{300, 2, 64, 65}, Shape{3, 4, 640, 512},
                             Shape{2, 5, 513, 700}, Shape{1, 3, 20, 20'000}}) {
    EXPECT_LT(error_of_squares(shape), kTolerance) << shape.rows << " x " << shape.columns;
  }
}

TEST(ProductSumsTest, ATransposedViewIsTheSame) {
  const at::Tensor g = uniform({4, 600, 6}).transpose(1, 2), a = uniform({4, 6, 600});
  const at::Tensor sum = at::zeros({600, 600}, at::kDouble);
  add_squared_products(sum, g, a);
  EXPECT_LT(difference(sum, at::einsum("bto,btm->bom", {g, a}).square().sum(0)), kTolerance);
}

TEST(ProductSumsTest, SquaringPositionsInsteadOfExamplesIsCaught) {
  const ScopedTwin twin("kernel.squares_of_positions");
  EXPECT_GT(error_of_squares({5, 7, 24, 33}), kTolerance);
}

TEST(ProductSumsTest, GramMatricesOfAnyWidth) {
  for (const int64_t width : {1, 5, 191, 192, 193, 400, 576}) EXPECT_LT(error_of_gram(50, width), kTolerance) << width;
}

/// The largest error of an element of a float32 Gram matrix, in units of what its rounding allows: a sum of R products
/// is off by at most R ε/2 Σ |a_ri a_rj|, ε = 2^-23, and so is one that is split into slices and parts.
double error_of_narrow_gram(int64_t rows, int64_t width, int64_t stride) {
  const at::Tensor a = uniform({rows, stride}).to(at::kFloat).narrow(1, 0, width), exact = a.to(at::kDouble);
  const at::Tensor sum = at::zeros({width, width}, at::kFloat);
  add_gram(sum, a);
  const at::Tensor error = mirrored(sum).to(at::kDouble).sub(exact.t().matmul(exact)).abs();
  const at::Tensor allowed = exact.abs().t().matmul(exact.abs()).mul(static_cast<double>(rows) * 0x1p-24);
  return error.div(allowed.add(1e-30)).max().item<double>();
}

// Widths around one vector, a tile, four vectors and both ends of the kernel's range; rows of one slice, of several, of
// a part for each thread; rows that lie apart.
TEST(ProductSumsTest, NarrowGramMatricesInSinglePrecision) {
  for (const int64_t width : {15, 16, 17, 23, 31, 33, 47, 48, 49, 64, 65, 100, 172, 255, 256, 257}) {
    for (const int64_t rows : {1, 2, 255, 1'500}) {
      EXPECT_LT(error_of_narrow_gram(rows, width, width), 1) << rows << " x " << width;
      EXPECT_LT(error_of_narrow_gram(rows, width, width + 5), 1) << rows << " x " << width << ", apart";
    }
  }
}

TEST(ProductSumsTest, ANarrowGramMatrixReadsNothingBeyondItsColumns) {
  const at::Tensor all = at::full({300, 80}, std::numeric_limits<float>::quiet_NaN()), a = all.narrow(1, 3, 70);
  a.fill_(1);
  const at::Tensor sum = at::zeros({70, 70}, at::kFloat);
  add_gram(sum, a);
  EXPECT_TRUE(mirrored(sum).eq(300).all().item<bool>());
}

TEST(ProductSumsTest, ANarrowGramMatrixHasTheSameBitsEachTime) {
  const at::Tensor a = uniform({3'000, 172}).to(at::kFloat);
  const at::Tensor first = at::zeros({172, 172}, at::kFloat), second = first.clone();
  add_gram(first, a);
  add_gram(second, a);
  EXPECT_TRUE(mirrored(first).equal(mirrored(second)));
}

TEST(ProductSumsTest, ANarrowGramMatrixWithoutItsDiagonalIsCaught) {
  const ScopedTwin twin("kernel.gram_without_diagonal");
  EXPECT_GT(error_of_narrow_gram(255, 64, 64), 1);
}

TEST(ProductSumsTest, AGramMatrixWithoutItsDiagonalBlocksIsCaught) {
  const ScopedTwin twin("kernel.gram_without_diagonal");
  EXPECT_GT(error_of_gram(50, 400), kTolerance);
}

}  // namespace
}  // namespace assay::kernel
