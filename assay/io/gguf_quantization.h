// The element types of GGUF tensors and their way back to float32. A quantised row is a sequence of blocks; a block of
// 32 weights holds its own scale (and minimum):
//   Q8_0  w = d·q           d float16, q 8-bit signed:                         34 bytes, 8.5 bits a weight
//   Q4_1  w = d·q + m       d and m float16, q 4-bit, low nibbles w_0…w_15:    20 bytes, 5 bits a weight
// The values are those of ggml's reference, bit for bit: float32 product, then float32 sum. Memory-bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace assay::io {

/// Numbered as in the file. Types that ggml withdrew (Q4_2, Q4_3, the interleaved Q4_0_4_4 family) have no name here.
enum class GgmlType : uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q8_1 = 9,
  Q2_K = 10,
  Q3_K = 11,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  Q8_K = 15,
  IQ2_XXS = 16,
  IQ2_XS = 17,
  IQ3_XXS = 18,
  IQ1_S = 19,
  IQ4_NL = 20,
  IQ3_S = 21,
  IQ2_S = 22,
  IQ4_XS = 23,
  I8 = 24,
  I16 = 25,
  I32 = 26,
  I64 = 27,
  F64 = 28,
  IQ1_M = 29,
  BF16 = 30,
  TQ1_0 = 34,
  TQ2_0 = 35,
  MXFP4 = 39,
  NVFP4 = 40,
  Q1_0 = 41,
};

struct GgmlTypeFacts {
  GgmlType type;
  const char* name;
  int64_t block_elements;  ///< a row's length must be a multiple of it
  int64_t block_bytes;
};

/// Nothing for a number that names no type.
std::optional<GgmlTypeFacts> facts_of(uint32_t type_number) noexcept;
const char* to_string(GgmlType type) noexcept;

/// F32, F16, BF16, Q8_0, Q4_1.
bool can_dequantise(GgmlType type) noexcept;

/// Fills `weights` from whole blocks; bytes.size() must be what weights.size() weights of a type that can be
/// dequantised take. `bytes` needs no alignment.
void dequantise(GgmlType type, std::span<const std::byte> bytes, std::span<float> weights);

}  // namespace assay::io
