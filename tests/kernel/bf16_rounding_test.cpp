// Against ATen's conversion: every rounding, sizes beside vectors, strides.
#include "assay/kernel/bf16_rounding.h"

#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "assay/core/twin.h"
#include "assay/kernel/amx_tiles.h"

namespace assay::kernel {
namespace {

bool rounds_as_aten(const at::Tensor& x) {
  const at::Tensor found = to_bf16(x), expected = x.to(at::kBFloat16);
  return found.scalar_type() == at::kBFloat16 && found.strides() == expected.strides() && found.equal(expected);
}

TEST(Bf16Rounding, IsThatOfAten) {
  for (const int64_t size : {0, 1, 15, 16, 17, 31, 32, 33, 100'001}) EXPECT_TRUE(rounds_as_aten(at::randn({size})));
  const at::Tensor matrix = at::randn({37, 50});
  EXPECT_TRUE(rounds_as_aten(matrix.t()));
  EXPECT_TRUE(rounds_as_aten(matrix.narrow(1, 3, 20)));
  EXPECT_TRUE(rounds_as_aten(at::randn({3, 7, 2, 5}).transpose(1, 2)));
  EXPECT_TRUE(rounds_as_aten(matrix.to(at::kDouble)));
  EXPECT_TRUE(to_bf16(matrix.to(at::kBFloat16)).equal(matrix.to(at::kBFloat16)));
  const float one = 1, half = 1.0F / 256;  // of the last place
  EXPECT_TRUE(rounds_as_aten(at::tensor({one + half, one + 3 * half, -one - half, std::nextafter(one + half, 2.0F)})));
  EXPECT_TRUE(rounds_as_aten(at::tensor({0.0F, -0.0F, std::numeric_limits<float>::infinity(), 3.4e38F, -3.4e38F})));
  EXPECT_TRUE(to_bf16(at::full({40}, std::nanf(""))).isnan().all().item<bool>());
}

TEST(Bf16Rounding, WhatIsLeftOverIsRoundedToo) {
  if (!has_amx()) GTEST_SKIP() << "this processor has no matrix unit for bf16, so ATen rounds";
  const ScopedTwin twin("kernel.rounding_stops_early");
  EXPECT_FALSE(rounds_as_aten(at::randn({31}).add(5)));
}

}  // namespace
}  // namespace assay::kernel
