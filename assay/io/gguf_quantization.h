// The element types of GGUF tensors and their way back to numbers. A quantised row is a sequence of blocks. A block of
// 32 weights holds its own scale (and minimum); a block of 256 holds one of each in half precision, and small whole
// numbers that multiply them for each group:
//   Q8_0  w = d·q               d float16, q 8-bit signed:                     34 bytes of 32, 8.5 bits a weight
//   Q4_0  w = d·(q - 8)         q 4-bit, low nibbles w_0…w_15:                 18 bytes of 32, 4.5 bits
//   Q4_1  w = d·q + m           m float16:                                     20 bytes of 32, 5 bits
//   Q5_0  w = d·(q - 16)        q 5-bit, the fifth bits apart:                 22 bytes of 32, 5.5 bits
//   Q5_1  w = d·q + m                                                          24 bytes of 32, 6 bits
//   Q4_K  w = d·s·q - e·m       d, e float16; s, m 6-bit for each 32; q 4-bit: 144 bytes of 256, 4.5 bits
//   Q5_K  w = d·s·q - e·m       q 5-bit:                                       176 bytes of 256, 5.5 bits
//   Q6_K  w = d·s·(q - 32)      s 8-bit signed for each 16; q 6-bit:           210 bytes of 256, 6.56 bits
// The values are those of ggml's reference, bit for bit: float32 product, then float32 sum. Blocks go to all threads
// and each weight is written once, in the type that is wanted: memory-bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

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

/// F32, F16, BF16 and the types of this file's head.
bool can_dequantise(GgmlType type) noexcept;
/// Their names: "F32, F16, …".
std::string dequantised_types();

/// Fills `weights` from whole blocks; bytes.size() must be what weights.size() weights of a type that can be
/// dequantised take. `bytes` needs no alignment.
void dequantise(GgmlType type, std::span<const std::byte> bytes, std::span<float> weights);
/// The same rounded to bfloat16 (nearest, ties to even), as its bits.
void dequantise(GgmlType type, std::span<const std::byte> bytes, std::span<uint16_t> weights);

}  // namespace assay::io
