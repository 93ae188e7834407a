// Against a second reading of the block layouts, one weight at a time in float64; against blocks worked out by hand;
// and against digests of what the Python package gguf 0.19.0 (quants.dequantize) gives for the same bytes.
#include "assay/io/gguf_quantization.h"

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "assay/core/twin.h"
#include "assay/io/gguf.h"
#include "assay/io/half.h"
#include "tests/support/errors.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/temporary_folder.h"

namespace assay::io {
namespace {

struct QuantisedType {
  GgmlType type;
  std::vector<size_t> halves;  ///< where a block keeps half-precision numbers
  uint64_t digest;             ///< of the weights of 100 blocks of quantised_bytes
};

const std::vector<QuantisedType>& quantised_types() {
  static const std::vector<QuantisedType> types{
      {GgmlType::Q8_0, {0}, 0xc6be2961bdd02a87},    {GgmlType::Q4_0, {0}, 0x347784c6b321d86b},
      {GgmlType::Q4_1, {0, 2}, 0x3c007131f7cfff76}, {GgmlType::Q5_0, {0}, 0x4ef03ec1731f4715},
      {GgmlType::Q5_1, {0, 2}, 0x33932b569cf12fdf}, {GgmlType::Q4_K, {0, 2}, 0xae6aa71f9f9b81de},
      {GgmlType::Q5_K, {0, 2}, 0x840efb4bfa0ca752}, {GgmlType::Q6_K, {208}, 0xde1715e2171147db},
  };
  return types;
}

GgmlTypeFacts facts_for(GgmlType type) {
  return *facts_of(static_cast<uint32_t>(type));
}

/// Blocks of random bytes; the scales are finite, some of them subnormal or negative.
std::vector<uint8_t> quantised_bytes(const QuantisedType& quantised, size_t blocks) {
  const auto each = static_cast<size_t>(facts_for(quantised.type).block_bytes);
  std::vector<uint8_t> bytes(each * blocks);
  uint64_t state = 12345;
  for (uint8_t& byte : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<uint8_t>(state >> 56);
  }
  for (size_t block = 0; block < blocks; ++block) {
    for (const size_t half : quantised.halves) bytes[block * each + half + 1] &= 0xBF;
  }
  return bytes;
}

template <class Number>
std::vector<Number> dequantised_from(GgmlType type, std::span<const uint8_t> bytes) {
  const GgmlTypeFacts facts = facts_for(type);
  std::vector<Number> weights(bytes.size() / static_cast<size_t>(facts.block_bytes) *
                              static_cast<size_t>(facts.block_elements));
  dequantise(type, std::as_bytes(bytes), std::span<Number>(weights));
  return weights;
}

double half_at(const uint8_t* b, size_t place) {
  return half_to_float(static_cast<uint16_t>(b[place] | b[place + 1] << 8));  // exact, proven in gguf_test.cpp
}

/// Weight i of the block at `b`, straight from the layout. Products and sums are exact in float64.
double weight_of(GgmlType type, const uint8_t* b, size_t i) {
  const auto nibble = [&](size_t first, size_t run) {  // runs of low and of high nibbles take turns
    return b[first + i / (2 * run) * run + i % run] >> (i / run % 2 * 4) & 15;
  };
  const auto bit = [&](size_t byte, size_t place) { return b[byte] >> place & 1; };
  switch (type) {
    case GgmlType::Q8_0: return half_at(b, 0) * static_cast<int8_t>(b[2 + i]);
    case GgmlType::Q4_0: return half_at(b, 0) * (nibble(2, 16) - 8);
    case GgmlType::Q4_1: return half_at(b, 0) * nibble(4, 16) + half_at(b, 2);
    case GgmlType::Q5_0: return half_at(b, 0) * (nibble(6, 16) + 16 * bit(2 + i / 8, i % 8) - 16);
    case GgmlType::Q5_1: return half_at(b, 0) * (nibble(8, 16) + 16 * bit(4 + i / 8, i % 8)) + half_at(b, 2);
    case GgmlType::Q4_K:
    case GgmlType::Q5_K: {
      const size_t group = i / 32;
      const uint8_t* packed = b + 4;
      int s = packed[group % 4] & 63, m = packed[4 + group % 4] & 63;
      if (group >= 4) {
        s = (packed[4 + group] & 15) + 16 * (packed[group - 4] >> 6);
        m = (packed[4 + group] >> 4) + 16 * (packed[group] >> 6);
      }
      const bool five = type == GgmlType::Q5_K;
      const int q = nibble(five ? 48 : 16, 32) + (five ? 16 * bit(16 + i % 32, group) : 0);
      return half_at(b, 0) * s * q - half_at(b, 2) * m;
    }
    case GgmlType::Q6_K: {
      const size_t half = i / 128, run = i % 128 / 32, column = i % 32;
      const int low = b[64 * half + 32 * (run % 2) + column] >> (run / 2 * 4) & 15;
      const int high = b[128 + 32 * half + column] >> (2 * run) & 3;
      return half_at(b, 208) * static_cast<int8_t>(b[192 + i / 16]) * (low + 16 * high - 32);
    }
    default: ADD_FAILURE() << to_string(type); return 0;
  }
}

/// Weights whose bits are not those of the second reading.
size_t wrong_weights(const QuantisedType& quantised, size_t blocks = 100) {
  const std::vector<uint8_t> bytes = quantised_bytes(quantised, blocks);
  const std::vector<float> weights = dequantised_from<float>(quantised.type, bytes);
  const GgmlTypeFacts facts = facts_for(quantised.type);
  const auto each = static_cast<size_t>(facts.block_elements);
  size_t wrong = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const uint8_t* block = bytes.data() + i / each * static_cast<size_t>(facts.block_bytes);
    const auto expected = static_cast<float>(weight_of(quantised.type, block, i % each));
    wrong += std::bit_cast<uint32_t>(weights[i]) != std::bit_cast<uint32_t>(expected);
  }
  return wrong;
}

TEST(GgufQuantisation, EveryWeightIsThatOfASecondReadingOfTheLayout) {
  for (const QuantisedType& quantised : quantised_types()) {
    EXPECT_EQ(wrong_weights(quantised), 0u) << to_string(quantised.type);
  }
}

TEST(GgufQuantisation, WeightsAreThoseOfTheReferenceImplementation) {
  for (const QuantisedType& quantised : quantised_types()) {
    uint64_t digest = 0xcbf29ce484222325;  // Fowler, Noll and Vo
    const std::vector<float> weights = dequantised_from<float>(quantised.type, quantised_bytes(quantised, 100));
    for (const std::byte byte : std::as_bytes(std::span(weights))) {
      digest = (digest ^ static_cast<uint64_t>(byte)) * 0x100000001b3;
    }
    EXPECT_EQ(digest, quantised.digest) << to_string(quantised.type);
  }
}

TEST(GgufQuantisation, MistakesInReadingABlockAreCaught) {
  const std::map<std::string, std::vector<GgmlType>> twins{
      {"io.nibbles_swapped",
       {GgmlType::Q4_0, GgmlType::Q4_1, GgmlType::Q5_0, GgmlType::Q5_1, GgmlType::Q4_K, GgmlType::Q5_K,
        GgmlType::Q6_K}},
      {"io.scale_and_minimum_swapped", {GgmlType::Q4_1, GgmlType::Q5_1}},
      {"io.fifth_bits_ignored", {GgmlType::Q5_0, GgmlType::Q5_1, GgmlType::Q5_K}},
      {"io.six_bit_scales_without_top_bits", {GgmlType::Q4_K, GgmlType::Q5_K}},
      {"io.minimum_added", {GgmlType::Q4_K, GgmlType::Q5_K}},
      {"io.high_bits_reversed", {GgmlType::Q6_K}}};
  for (const auto& [name, types] : twins) {
    const ScopedTwin twin(name);
    for (const QuantisedType& quantised : quantised_types()) {
      const bool is_touched = std::find(types.begin(), types.end(), quantised.type) != types.end();
      EXPECT_EQ(wrong_weights(quantised) > 0, is_touched) << name << ", " << to_string(quantised.type);
    }
  }
}

// Worked out with pencil and paper: a half of 0x3C00 is 1, 0x3800 is 0.5, 0xC000 is -2.
TEST(GgufQuantisation, BlocksWorkedOutByHand) {
  std::vector<uint8_t> q4_0(18, 0x88);  // every nibble 8: zero
  q4_0[0] = 0x00, q4_0[1] = 0xC0;       // d = -2
  q4_0[2] = 0x8F, q4_0[17] = 0x08;      // w_0 = -2·(15 - 8), w_31 = -2·(0 - 8)
  const auto four = dequantised_from<float>(GgmlType::Q4_0, q4_0);
  EXPECT_EQ(four[0], -14.0F);
  EXPECT_EQ(four[31], 16.0F);
  EXPECT_EQ(std::count(four.begin(), four.end(), 0.0F), 30);
  EXPECT_TRUE(std::signbit(four[1])) << "-2 · 0 is -0 in the reference";

  std::vector<uint8_t> q5_1(24, 0);
  q5_1[1] = 0x38, q5_1[3] = 0x3C;   // d = 0.5, m = 1
  q5_1[4] = 0x02, q5_1[7] = 0x80;   // the fifth bits of w_1 and w_31
  q5_1[9] = 0x03, q5_1[23] = 0xF0;  // w_1 = 0.5·(3 + 16) + 1, w_31 = 0.5·(15 + 16) + 1
  const auto five = dequantised_from<float>(GgmlType::Q5_1, q5_1);
  EXPECT_EQ(five[1], 10.5F);
  EXPECT_EQ(five[31], 16.5F);
  EXPECT_EQ(std::count(five.begin(), five.end(), 1.0F), 30);

  std::vector<uint8_t> q4_k(144, 0);
  q4_k[1] = 0x38, q4_k[3] = 0xC0;    // d = 0.5, e = -2
  q4_k[4] = 0xC0 | 5;                // s_0 = 5, the top bits of s_4 are 3
  q4_k[8] = 0x40 | 7;                // m_0 = 7, the top bits of m_4 are 1
  q4_k[12] = 0x21;                   // s_4 = 1 + 16·3 = 49, m_4 = 2 + 16·1 = 18
  q4_k[16] = 0x03, q4_k[80] = 0x04;  // w_0 of q 3; w_128 (group 4) of q 4
  const auto k4 = dequantised_from<float>(GgmlType::Q4_K, q4_k);
  EXPECT_EQ(k4[0], 0.5F * 5 * 3 + 2 * 7);
  EXPECT_EQ(k4[1], 14.0F);
  EXPECT_EQ(k4[128], 0.5F * 49 * 4 + 2 * 18);
  EXPECT_EQ(k4[159], 36.0F);
  EXPECT_EQ(k4[64], 0.0F);

  std::vector<uint8_t> q6_k(210, 0);
  q6_k[209] = 0x38;                    // d = 0.5
  q6_k[192 + 15] = 0xFE;               // the scale of w_240 … w_255: -2
  q6_k[127] = 0x90, q6_k[191] = 0xC0;  // w_255: low 9, high 3: q = 9 + 48 - 32
  const auto k6 = dequantised_from<float>(GgmlType::Q6_K, q6_k);
  EXPECT_EQ(k6[255], -25.0F);
  EXPECT_EQ(k6[254], 32.0F);
  EXPECT_EQ(k6[0], 0.0F);
}

TEST(GgufQuantisation, AScaleThatIsNoNumberGivesNoNumbers) {
  for (const QuantisedType& quantised : quantised_types()) {
    std::vector<uint8_t> bytes = quantised_bytes(quantised, 1);
    bytes[quantised.halves[0]] = 0xFF, bytes[quantised.halves[0] + 1] = 0x7F;
    for (const float weight : dequantised_from<float>(quantised.type, bytes)) EXPECT_TRUE(std::isnan(weight));
    for (const uint16_t weight : dequantised_from<uint16_t>(quantised.type, bytes)) EXPECT_EQ(weight, 0x7FC0);
  }
}

TEST(GgufQuantisation, RoundingToBfloat16IsThatOfLibTorch) {
  const auto wrong = [] {
    size_t count = 0;
    for (uint32_t high = 0; high < 65536; ++high) {
      for (const uint32_t low : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
        const auto number = std::bit_cast<float>(high << 16 | low);
        const uint16_t expected = std::isnan(number) ? uint16_t{0x7FC0} : c10::BFloat16(number).x;
        uint16_t rounded = 0;
        dequantise(GgmlType::F32, std::as_bytes(std::span(&number, 1)), std::span<uint16_t>(&rounded, 1));
        count += rounded != expected;
      }
    }
    return count;
  };
  EXPECT_EQ(wrong(), 0u);
  const ScopedTwin twin("io.bfloat16_truncated");
  EXPECT_GT(wrong(), 0u);
}

TEST(GgufQuantisation, Bfloat16IsTheRoundedFloat32OfEveryType) {
  std::vector<QuantisedType> types = quantised_types();
  for (const GgmlType plain : {GgmlType::F32, GgmlType::F16, GgmlType::BF16}) types.push_back({plain, {}, 0});
  for (const QuantisedType& quantised : types) {
    const std::vector<uint8_t> bytes = quantised_bytes(quantised, 37);
    const std::vector<float> wide = dequantised_from<float>(quantised.type, bytes);
    const std::vector<uint16_t> narrow = dequantised_from<uint16_t>(quantised.type, bytes);
    ASSERT_EQ(wide.size(), narrow.size());
    for (size_t i = 0; i < wide.size(); ++i) EXPECT_EQ(narrow[i], float_to_bfloat16(wide[i]));
  }
}

TEST(GgufQuantisation, PlainNumbersOfAnyLength) {
  const auto is_right = [](size_t length) {
    std::vector<float> numbers(length), read(length);
    for (size_t i = 0; i < length; ++i) numbers[i] = static_cast<float>(i + 1);
    dequantise(GgmlType::F32, std::as_bytes(std::span(numbers)), std::span(read));
    return read == numbers;
  };
  for (const size_t length : std::vector<size_t>{0, 1, 15, 16, 17, 40'003}) EXPECT_TRUE(is_right(length)) << length;
  const ScopedTwin twin("io.rest_of_numbers_dropped");
  EXPECT_FALSE(is_right(17));
}

TEST(GgufQuantisation, AnyPlaceInMemoryAndAnyThreadsGiveTheSameBits) {
  const int threads = at::get_num_threads();
  for (const QuantisedType& quantised : quantised_types()) {
    const std::vector<uint8_t> bytes = quantised_bytes(quantised, 5000);  // several shares of the work
    std::vector<uint8_t> moved(bytes.size() + 1);
    std::copy(bytes.begin(), bytes.end(), moved.begin() + 1);
    at::set_num_threads(1);
    const auto one = dequantised_from<float>(quantised.type, bytes);
    at::set_num_threads(2);
    const auto two = dequantised_from<float>(quantised.type, std::span<const uint8_t>(moved).subspan(1));
    EXPECT_EQ(std::memcmp(one.data(), two.data(), one.size() * sizeof(float)), 0) << to_string(quantised.type);
  }
  at::set_num_threads(threads);
}

TEST(GgufQuantisation, RowsThatAreNotWholeBlocksAreRefused) {
  const TemporaryFolder folder;
  const auto open = [&](const std::vector<uint64_t>& shape, GgmlType type) {
    const std::string bytes =
        GgufWriter().tensor("w", shape, static_cast<uint32_t>(type), std::string(4096, 0)).bytes();
    return error_of([&] { Gguf::open(folder.write("m.gguf", bytes), ErrorKind::Model); });
  };
  for (const QuantisedType& quantised : quantised_types()) {
    const auto block = static_cast<uint64_t>(facts_for(quantised.type).block_elements);
    const std::string rule =
        std::string(to_string(quantised.type)) + " must have rows of whole blocks of " + std::to_string(block);
    EXPECT_FALSE(open({3, block}, quantised.type));
    EXPECT_THAT(open({2, block / 2}, quantised.type), Refusal(ErrorKind::Model, rule));  // whole blocks in all
    EXPECT_THAT(open({2, block + 1}, quantised.type), Refusal(ErrorKind::Model, rule));
  }
}

TEST(GgufQuantisation, AFileGivesEitherType) {
  const TemporaryFolder folder;
  GgufWriter writer;
  const auto text = [](const std::vector<uint8_t>& bytes) { return std::string(bytes.begin(), bytes.end()); };
  for (const QuantisedType& quantised : quantised_types()) {
    const auto block = static_cast<uint64_t>(facts_for(quantised.type).block_elements);
    writer.tensor(to_string(quantised.type), {3, 2 * block}, static_cast<uint32_t>(quantised.type),
                  text(quantised_bytes(quantised, 6)));
  }
  writer.tensor("BF16", {2, 3}, 30, "abcdefghijkl");
  const Gguf file = Gguf::open(folder.write("m.gguf", writer.bytes()), ErrorKind::Model);
  for (const QuantisedType& quantised : quantised_types()) {
    const Array wide = file.load(to_string(quantised.type)), narrow = file.load(to_string(quantised.type), DType::BF16);
    const auto expected = dequantised_from<uint16_t>(quantised.type, quantised_bytes(quantised, 6));
    EXPECT_EQ(narrow.shape, wide.shape);
    EXPECT_EQ(narrow.dtype, DType::BF16);
    ASSERT_EQ(narrow.bytes.size(), expected.size() * 2);
    EXPECT_EQ(std::memcmp(narrow.bytes.data(), expected.data(), narrow.bytes.size()), 0);
  }
  EXPECT_EQ(file.load("BF16", DType::BF16).bytes.data(), file.tensors().at("BF16").bytes.data());
  EXPECT_EQ(file.load("BF16").dtype, DType::F32);
}

}  // namespace
}  // namespace assay::io
