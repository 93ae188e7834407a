// Against the plain forms in float64. Shapes on both sides of every seam: layers small and large, tiles that divide the
// rows and tiles that do not, one example, one position, blocks of the Gram matrix whole and cut.
#include "assay/kernel/product_sums.h"

#include <ATen/ops/einsum.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

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

TEST(ProductSumsTest, AGramMatrixWithoutItsDiagonalBlocksIsCaught) {
  const ScopedTwin twin("kernel.gram_without_diagonal");
  EXPECT_GT(error_of_gram(50, 400), kTolerance);
}

}  // namespace
}  // namespace assay::kernel
