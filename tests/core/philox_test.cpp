#include "assay/core/philox.h"

#include <gtest/gtest.h>

#include <cmath>

namespace assay {
namespace {

using Words = std::array<uint32_t, 4>;

// Known answers of Random123 1.14 (kat_vectors, philox4x32 10), counter words 0..3 = index, stream; key words = seed.
TEST(Philox, GivesThePublishedVectors) {
  EXPECT_EQ(philox4x32(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32(~0ull, ~0ull, ~0ull), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32(0x299f31d0a4093822ull, 0x0370734413198a2eull, 0x85a308d3243f6a88ull),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// 200,000 draws: the standard error of the mean is 0.0022 (normal) and 0.00065 (uniform); five of them are allowed.
TEST(Philox, UniformAndNormalHaveTheirMoments) {
  constexpr uint64_t kCount = 200'000;
  double normal_sum = 0, normal_squares = 0, uniform_sum = 0;
  for (uint64_t i = 0; i < kCount; ++i) {
    const double normal = random_normal(3, 1, i), uniform = random_uniform(3, 2, i);
    normal_sum += normal;
    normal_squares += normal * normal;
    uniform_sum += uniform;
    ASSERT_GE(uniform, 0.0);
    ASSERT_LT(uniform, 1.0);
    ASSERT_TRUE(std::isfinite(normal));
  }
  EXPECT_NEAR(normal_sum / kCount, 0.0, 5 * 0.0022);
  EXPECT_NEAR(normal_squares / kCount, 1.0, 5 * 0.0032);
  EXPECT_NEAR(uniform_sum / kCount, 0.5, 5 * 0.00065);
}

TEST(Philox, StreamsAndSeedsDiffer) {
  EXPECT_NE(random_bits(1, 0, 0), random_bits(2, 0, 0));
  EXPECT_NE(random_bits(1, 0, 0), random_bits(1, 1, 0));
  EXPECT_NE(stream_of("labels"), stream_of("order"));
}

}  // namespace
}  // namespace assay
