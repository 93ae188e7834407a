// Against plain products in float64. Shapes on both sides of every seam: ranks below sixteen, rows and outputs that do
// not fill a group, one position.
#include "assay/kernel/narrow_projection.h"

#include <ATen/ops/bmm.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

constexpr double kProjectionTolerance = 1e-5;  // float32 sums of up to a thousand terms in [-1/2, 1/2]²

double projection_error(const at::Tensor& found, const at::Tensor& expected) {
  return found.to(at::kDouble).sub(expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

double sums_error(int64_t batch, int64_t positions, int64_t rank_out, int64_t rank_in) {
  const at::Tensor x = at::rand({batch, positions, 40}).sub(0.5), y = at::rand({batch, positions, 9}).sub(0.5);
  const at::Tensor p = at::rand({40, rank_out}).sub(0.5), q = at::rand({9, rank_in}).sub(0.5);
  const at::Tensor g = narrow_projection(x, p), a = narrow_projection(y, q);
  const auto exact = [](const at::Tensor& from, const at::Tensor& by) {
    return from.to(at::kDouble).matmul(by.to(at::kDouble));
  };
  return projection_error(narrow_outer_sums(g, a), at::bmm(exact(x, p).transpose(1, 2), exact(y, q)));
}

TEST(NarrowProjectionTest, IsTheProduct) {
  for (const int64_t rank : {1, 5, 16}) {
    for (const auto& [rows, columns] : {std::pair(1, 1), std::pair(13, 64), std::pair(24, 172), std::pair(1000, 65)}) {
      const at::Tensor x = at::rand({rows, columns}).sub(0.5), p = at::rand({columns, rank}).sub(0.5);
      const at::Tensor expected = x.to(at::kDouble).matmul(p.to(at::kDouble));
      const at::Tensor found = narrow_projection(x, p);
      EXPECT_LT(projection_error(found, expected), kProjectionTolerance) << rows << " " << columns << " " << rank;
      EXPECT_LT(projection_error(narrow_projection(x, p.t().contiguous().t()), expected), kProjectionTolerance);
    }
  }
  EXPECT_FALSE(is_narrow_projection(at::rand({4, 4}), at::rand({4, 17})));
  EXPECT_FALSE(is_narrow_projection(at::rand({4, 4}).to(at::kDouble), at::rand({4, 4})));
  EXPECT_FALSE(is_narrow_projection(at::rand({4, 4}).t(), at::rand({4, 4})));
}

TEST(NarrowProjectionTest, SumsOuterProductsOverPositions) {
  for (const auto& [batch, positions] : {std::pair(1, 1), std::pair(3, 7), std::pair(5, 256)}) {
    for (const int64_t rank_out : {1, 8, 11, 16}) {
      EXPECT_LT(sums_error(batch, positions, rank_out, 16), kProjectionTolerance);
      EXPECT_LT(sums_error(batch, positions, rank_out, 3), kProjectionTolerance);
    }
  }
  const ScopedTwin twin("kernel.last_position_left_out");
  EXPECT_GT(sums_error(3, 7, 8, 16), 1e-2);
}

}  // namespace
}  // namespace assay::kernel
