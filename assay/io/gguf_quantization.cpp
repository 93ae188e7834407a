#include "assay/io/gguf_quantization.h"

#include <array>
#include <cstring>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/io/half.h"

namespace assay::io {
namespace {

constexpr GgmlTypeFacts kTypes[] = {
    {GgmlType::F32, "F32", 1, 4},
    {GgmlType::F16, "F16", 1, 2},
    {GgmlType::Q4_0, "Q4_0", 32, 18},
    {GgmlType::Q4_1, "Q4_1", 32, 20},
    {GgmlType::Q5_0, "Q5_0", 32, 22},
    {GgmlType::Q5_1, "Q5_1", 32, 24},
    {GgmlType::Q8_0, "Q8_0", 32, 34},
    {GgmlType::Q8_1, "Q8_1", 32, 40},
    {GgmlType::Q2_K, "Q2_K", 256, 84},
    {GgmlType::Q3_K, "Q3_K", 256, 110},
    {GgmlType::Q4_K, "Q4_K", 256, 144},
    {GgmlType::Q5_K, "Q5_K", 256, 176},
    {GgmlType::Q6_K, "Q6_K", 256, 210},
    {GgmlType::Q8_K, "Q8_K", 256, 292},
    {GgmlType::IQ2_XXS, "IQ2_XXS", 256, 66},
    {GgmlType::IQ2_XS, "IQ2_XS", 256, 74},
    {GgmlType::IQ3_XXS, "IQ3_XXS", 256, 98},
    {GgmlType::IQ1_S, "IQ1_S", 256, 50},
    {GgmlType::IQ4_NL, "IQ4_NL", 32, 18},
    {GgmlType::IQ3_S, "IQ3_S", 256, 110},
    {GgmlType::IQ2_S, "IQ2_S", 256, 82},
    {GgmlType::IQ4_XS, "IQ4_XS", 256, 136},
    {GgmlType::I8, "I8", 1, 1},
    {GgmlType::I16, "I16", 1, 2},
    {GgmlType::I32, "I32", 1, 4},
    {GgmlType::I64, "I64", 1, 8},
    {GgmlType::F64, "F64", 1, 8},
    {GgmlType::IQ1_M, "IQ1_M", 256, 56},
    {GgmlType::BF16, "BF16", 1, 2},
    {GgmlType::TQ1_0, "TQ1_0", 256, 54},
    {GgmlType::TQ2_0, "TQ2_0", 256, 66},
    {GgmlType::MXFP4, "MXFP4", 32, 17},
    {GgmlType::NVFP4, "NVFP4", 64, 36},
    {GgmlType::Q1_0, "Q1_0", 128, 18},
};

constexpr size_t kBlock = 32;

struct Q8Block {
  uint16_t scale;
  int8_t weights[kBlock];
};
static_assert(sizeof(Q8Block) == 34);

struct Q4Block {
  uint16_t scale;
  uint16_t minimum;
  uint8_t nibbles[kBlock / 2];
};
static_assert(sizeof(Q4Block) == 20);

/// Calls expand(block, weights) for each block; the copy into `block` makes unaligned bytes safe and costs nothing.
template <class Block, size_t elements, class Expand>
void for_each_block(std::span<const std::byte> bytes, std::span<float> weights, Expand expand) {
  ASSAY_ASSERT(weights.size() % elements == 0 && bytes.size() == weights.size() / elements * sizeof(Block));
  const std::byte* from = bytes.data();
  float* to = weights.data();
  for (size_t i = 0; i < weights.size() / elements; ++i, from += sizeof(Block), to += elements) {
    Block block;
    std::memcpy(&block, from, sizeof(Block));
    expand(block, to);
  }
}

void expand_q8(const Q8Block& block, float* __restrict weights) {
  const float scale = half_to_float(block.scale);
  for (size_t i = 0; i < kBlock; ++i) weights[i] = scale * static_cast<float>(block.weights[i]);
}

void expand_q4(const Q4Block& block, float* __restrict weights) {
  float scale = half_to_float(block.scale);
  float minimum = half_to_float(block.minimum);
  if (ASSAY_TWIN("io.q4_1_scale_and_minimum_swapped")) std::swap(scale, minimum);
  for (size_t i = 0; i < kBlock / 2; ++i) {
    weights[i] = scale * static_cast<float>(block.nibbles[i] & 0x0F) + minimum;
    weights[i + kBlock / 2] = scale * static_cast<float>(block.nibbles[i] >> 4) + minimum;
  }
}

/// Sixteen at a time, so that the loop body has a fixed length and becomes vector code.
template <float (*widen)(uint16_t)>
void expand_16_bit(std::span<const std::byte> bytes, std::span<float> weights) {
  constexpr size_t kAtOnce = 16;
  const size_t whole = weights.size() / kAtOnce * kAtOnce;
  using Several = std::array<uint16_t, kAtOnce>;
  for_each_block<Several, kAtOnce>(bytes.first(2 * whole), weights.first(whole),
                                   [](const Several& block, float* __restrict to) {
                                     for (size_t i = 0; i < kAtOnce; ++i) to[i] = widen(block[i]);
                                   });
  for_each_block<uint16_t, 1>(bytes.subspan(2 * whole), weights.subspan(whole),
                              [](uint16_t one, float* to) { *to = widen(one); });
}

}  // namespace

std::optional<GgmlTypeFacts> facts_of(uint32_t type_number) noexcept {
  for (const GgmlTypeFacts& facts : kTypes) {
    if (static_cast<uint32_t>(facts.type) == type_number) return facts;
  }
  return std::nullopt;
}

const char* to_string(GgmlType type) noexcept {
  const std::optional<GgmlTypeFacts> facts = facts_of(static_cast<uint32_t>(type));
  return facts ? facts->name : "unknown";
}

bool can_dequantise(GgmlType type) noexcept {
  switch (type) {
    case GgmlType::F32:
    case GgmlType::F16:
    case GgmlType::BF16:
    case GgmlType::Q8_0:
    case GgmlType::Q4_1: return true;
    default: return false;
  }
}

void dequantise(GgmlType type, std::span<const std::byte> bytes, std::span<float> weights) {
  ASSAY_ASSERT(can_dequantise(type));
  switch (type) {
    case GgmlType::F16: return expand_16_bit<half_to_float>(bytes, weights);
    case GgmlType::BF16: return expand_16_bit<bfloat16_to_float>(bytes, weights);
    case GgmlType::Q8_0: return for_each_block<Q8Block, kBlock>(bytes, weights, expand_q8);
    case GgmlType::Q4_1: return for_each_block<Q4Block, kBlock>(bytes, weights, expand_q4);
    default:
      ASSAY_ASSERT(bytes.size() == weights.size_bytes());
      if (!bytes.empty()) std::memcpy(weights.data(), bytes.data(), bytes.size());
  }
}

}  // namespace assay::io
