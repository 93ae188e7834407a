// Against a product in float64 of the same stored numbers. Shapes on both sides of every seam: tiles of rows, segments
// of columns, groups of four, two and one vectors, tails of the registers.
#include "assay/kernel/row_products.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <cstring>

#include "assay/core/twin.h"

namespace assay::kernel {
namespace {

// Float32 sums of n terms in [-1/2, 1/2]², eight or more partial ones: far below n·2^-24 of the largest.
constexpr double kRowTolerance = 2e-5;

double error_of(int64_t queries, int64_t count, const std::vector<int64_t>& ends, at::ScalarType type, bool scaled) {
  const int64_t columns = ends.back();
  const at::Tensor u = at::rand({queries, columns}).sub(0.5);
  at::Tensor numbers = at::rand({count, columns + 3}).sub(0.5);  // rows further apart than they are long
  numbers = (type == at::kChar ? numbers.mul(250).round() : numbers).to(type).narrow(1, 1, columns);
  const at::Tensor scales = at::rand({count, static_cast<int64_t>(ends.size())}).add(0.1);
  at::Tensor plain = numbers.to(at::kDouble).clone();
  for (size_t layer = 0, begin = 0; layer < ends.size(); begin = static_cast<size_t>(ends[layer++])) {
    if (!scaled) break;
    plain.narrow(1, static_cast<int64_t>(begin), ends[layer] - static_cast<int64_t>(begin))
        .mul_(scales.narrow(1, static_cast<int64_t>(layer), 1).to(at::kDouble));
  }
  const at::Tensor expected = at::mm(u.to(at::kDouble), plain.t());
  const at::Tensor found = scaled ? products_with_rows(u, numbers, scales, ends) : products_with_rows(u, numbers);
  return found.to(at::kDouble).sub(expected).abs().max().item<double>() / expected.abs().max().item<double>();
}

TEST(RowProductsTest, EqualTheMatrixProduct) {
  for (const auto type : {at::kFloat, at::kBFloat16, at::kHalf, at::kChar}) {
    for (const int64_t queries : {1, 2, 3, 7, 16}) {
      for (const int64_t count : {1, 16, 37}) {
        for (const std::vector<int64_t>& ends :
             {std::vector<int64_t>{1}, std::vector<int64_t>{256, 512, 700}, std::vector<int64_t>{5, 2053, 4200}}) {
          EXPECT_LT(error_of(queries, count, ends, type, false), kRowTolerance) << type << queries << " " << count;
          EXPECT_LT(error_of(queries, count, ends, type, true), kRowTolerance) << type << queries << " " << count;
        }
      }
    }
  }
  EXPECT_EQ(products_with_rows(at::rand({2, 8}), at::rand({0, 8})).size(1), 0);
  const ScopedTwin twin("kernel.rows_without_their_scales");
  EXPECT_GT(error_of(3, 37, {256, 512, 700}, at::kChar, true), 1e-2);
}

TEST(RowProductsTest, WidenEveryFiniteHalf) {
  std::vector<uint16_t> bits;
  for (uint32_t b = 0; b < 0x10000; ++b)
    if ((b & 0x7C00u) != 0x7C00u) bits.push_back(static_cast<uint16_t>(b));
  const auto count = static_cast<int64_t>(bits.size());
  at::Tensor halves = at::empty({count, 1}, at::kHalf);
  std::memcpy(halves.data_ptr(), bits.data(), bits.size() * 2);
  const at::Tensor widened = products_with_rows(at::ones({1, 1}), halves).squeeze(0);
  EXPECT_TRUE(widened.equal(halves.to(at::kFloat).squeeze(1)));
}

}  // namespace
}  // namespace assay::kernel
