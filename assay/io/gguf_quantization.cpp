#include "assay/io/gguf_quantization.h"

#include <ATen/Parallel.h>

#include <cstring>
#include <iterator>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/io/gguf_blocks.h"
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

constexpr int64_t kWeightsAtOnce = 16 * 1024;  // a share of the work that outweighs the start of a thread

/// `count` blocks, compiled for each width of registers.
template <class Block>
struct ExpandBlocks {
  template <int, class Number>
  static ASSAY_INLINE void run(const std::byte* bytes, int64_t count, Number* weights) {
    static_assert(alignof(Block) == 1);
    const Block* blocks = reinterpret_cast<const Block*>(bytes);
    for (int64_t i = 0; i < count; ++i) blocks[i].expand(weights + i * Block::kWeights);
  }
};

/// `count` numbers, sixteen at a time, so that the loop body has a fixed length and becomes vector code.
template <class Stored, auto widen>
struct ExpandNumbers {
  template <int, class Number>
  static ASSAY_INLINE void run(const std::byte* bytes, int64_t count, Number* __restrict weights) {
    constexpr int64_t kTogether = 16;
    Stored stored[kTogether];
    for (; count >= kTogether; count -= kTogether, bytes += sizeof(stored), weights += kTogether) {
      std::memcpy(stored, bytes, sizeof(stored));
      for (int64_t i = 0; i < kTogether; ++i) place_number(widen(stored[i]), weights[i]);
    }
    if (ASSAY_TWIN("io.rest_of_numbers_dropped")) return;
    std::memcpy(stored, bytes, static_cast<size_t>(count) * sizeof(Stored));
    for (int64_t i = 0; i < count; ++i) place_number(widen(stored[i]), weights[i]);
  }
};

/// Shares the units of a type, blocks or numbers, among the threads.
template <class Kernel, int64_t kUnitWeights, int64_t kUnitBytes, class Number>
void on_all_threads(std::span<const std::byte> bytes, std::span<Number> weights) {
  at::parallel_for(0, std::ssize(weights) / kUnitWeights, kWeightsAtOnce / kUnitWeights,
                   [&](int64_t begin, int64_t end) {
                     kernel::on_widest_lanes<Kernel>(bytes.data() + begin * kUnitBytes, end - begin,
                                                     weights.data() + begin * kUnitWeights);
                   });
}

template <class Block, class Number>
void expand_blocks(std::span<const std::byte> bytes, std::span<Number> weights) {
  on_all_threads<ExpandBlocks<Block>, Block::kWeights, sizeof(Block)>(bytes, weights);
}

template <class Stored, auto widen, class Number>
void expand_numbers(std::span<const std::byte> bytes, std::span<Number> weights) {
  on_all_threads<ExpandNumbers<Stored, widen>, 1, sizeof(Stored)>(bytes, weights);
}

constexpr float same_float(float number) noexcept {
  return number;
}

template <class Number>
void expand(GgmlType type, std::span<const std::byte> bytes, std::span<Number> weights) {
  ASSAY_ASSERT(can_dequantise(type));
  const GgmlTypeFacts facts = *facts_of(static_cast<uint32_t>(type));
  ASSAY_ASSERT(std::ssize(weights) % facts.block_elements == 0);
  ASSAY_ASSERT(std::ssize(bytes) == std::ssize(weights) / facts.block_elements * facts.block_bytes);
  switch (type) {
    case GgmlType::F16: return expand_numbers<uint16_t, half_to_float>(bytes, weights);
    case GgmlType::BF16: return expand_numbers<uint16_t, bfloat16_to_float>(bytes, weights);
    case GgmlType::Q8_0: return expand_blocks<Q8_0Block>(bytes, weights);
    case GgmlType::Q4_0: return expand_blocks<Q4_0Block>(bytes, weights);
    case GgmlType::Q4_1: return expand_blocks<Q4_1Block>(bytes, weights);
    case GgmlType::Q5_0: return expand_blocks<Q5_0Block>(bytes, weights);
    case GgmlType::Q5_1: return expand_blocks<Q5_1Block>(bytes, weights);
    case GgmlType::Q4_K: return expand_blocks<Q4KBlock>(bytes, weights);
    case GgmlType::Q5_K: return expand_blocks<Q5KBlock>(bytes, weights);
    case GgmlType::Q6_K: return expand_blocks<Q6KBlock>(bytes, weights);
    default: return expand_numbers<float, same_float>(bytes, weights);
  }
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
    case GgmlType::Q4_0:
    case GgmlType::Q4_1:
    case GgmlType::Q5_0:
    case GgmlType::Q5_1:
    case GgmlType::Q4_K:
    case GgmlType::Q5_K:
    case GgmlType::Q6_K: return true;
    default: return false;
  }
}

std::string dequantised_types() {
  std::string names;
  for (const GgmlTypeFacts& facts : kTypes) {
    if (can_dequantise(facts.type)) names += (names.empty() ? "" : ", ") + std::string(facts.name);
  }
  return names;
}

void dequantise(GgmlType type, std::span<const std::byte> bytes, std::span<float> weights) {
  expand(type, bytes, weights);
}

void dequantise(GgmlType type, std::span<const std::byte> bytes, std::span<uint16_t> weights) {
  expand(type, bytes, weights);
}

}  // namespace assay::io
