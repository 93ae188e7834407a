// How the quantised types of GGUF pack their weights, one struct a type, laid out as the bytes in the file, each with
// its way back to numbers. Only gguf_quantization.cpp includes this; the layouts are facts of github.com/ggml-org/ggml.
//
// Scales are half precision (11 bits), sub-scales at most 7 bits and q at most 8, so that every product is exact in
// float32 and only a sum rounds: a fused multiply-add gives the same bits as ggml's product and sum. Loops have fixed
// lengths and no branches: they become vector code. Fields are bytes, which may lie anywhere.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "assay/core/twin.h"
#include "assay/io/half.h"
#include "assay/kernel/lanes.h"

namespace assay::io {

ASSAY_INLINE void place_number(float number, float& place) {
  place = number;
}
ASSAY_INLINE void place_number(float number, uint16_t& place) {
  place = float_to_bfloat16(number);
  if (ASSAY_TWIN("io.bfloat16_truncated")) place = static_cast<uint16_t>(std::bit_cast<uint32_t>(number) >> 16);
}

ASSAY_INLINE float half_of(const uint8_t* bytes) {
  return half_to_float(static_cast<uint16_t>(bytes[0] | bytes[1] << 8));
}

/// The low (shift 0) or the high nibbles (shift 4) of `count` bytes: weights[i] = weight(nibble, i).
template <int shift, size_t count, class Number, class Weight>
ASSAY_INLINE void expand_nibbles(const uint8_t* __restrict packed, Number* __restrict weights, Weight weight) {
  const int by = ASSAY_TWIN("io.nibbles_swapped") ? 4 - shift : shift;
  for (size_t i = 0; i < count; ++i) place_number(weight(packed[i] >> by & 15, i), weights[i]);
}

/// The same where further bits of a weight lie in another byte: weights[i] = weight(nibble, bits[i]).
template <int shift, size_t count, class Number, class Weight>
ASSAY_INLINE void expand_nibbles(const uint8_t* __restrict packed, const uint8_t* __restrict bits,
                                 Number* __restrict weights, Weight weight) {
  const int by = ASSAY_TWIN("io.nibbles_swapped") ? 4 - shift : shift;
  for (size_t i = 0; i < count; ++i) place_number(weight(packed[i] >> by & 15, int{bits[i]}), weights[i]);
}

/// scale · q + offset with q from a nibble, a fifth bit and a shift down: the blocks of 32.
struct ShortBlock {
  float scale, offset;
  uint32_t fifth_bits;
  int down;

  template <class Number>
  ASSAY_INLINE void expand(const uint8_t* nibbles, Number* weights) const {
    const uint32_t bits = ASSAY_TWIN("io.fifth_bits_ignored") ? 0 : fifth_bits;
    float d = scale, m = offset;
    if (ASSAY_TWIN("io.scale_and_minimum_swapped") && m != 0) std::swap(d, m);
    const int drop = down;
    expand_nibbles<0, 16>(nibbles, weights, [=](int q, size_t i) {
      return d * static_cast<float>((q | static_cast<int>(bits >> i & 1) << 4) - drop) + m;
    });
    expand_nibbles<4, 16>(nibbles, weights + 16, [=](int q, size_t i) {
      return d * static_cast<float>((q | static_cast<int>(bits >> (i + 16) & 1) << 4) - drop) + m;
    });
  }
};

constexpr float kNoOffset = -0.0F;  // changes no number, not even a zero's sign

inline uint32_t word_of(const uint8_t* bytes) {
  return bytes[0] | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
}

struct Q8_0Block {
  static constexpr int64_t kWeights = 32;
  uint8_t scale[2];
  int8_t weights[32];

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    const float d = half_of(scale);
    for (size_t i = 0; i < 32; ++i) place_number(d * static_cast<float>(weights[i]), to[i]);
  }
};
static_assert(sizeof(Q8_0Block) == 34);

struct Q4_0Block {
  static constexpr int64_t kWeights = 32;
  uint8_t scale[2], nibbles[16];

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    ShortBlock{half_of(scale), kNoOffset, 0, 8}.expand(nibbles, to);
  }
};
static_assert(sizeof(Q4_0Block) == 18);

struct Q4_1Block {
  static constexpr int64_t kWeights = 32;
  uint8_t scale[2], minimum[2], nibbles[16];

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    ShortBlock{half_of(scale), half_of(minimum), 0, 0}.expand(nibbles, to);
  }
};
static_assert(sizeof(Q4_1Block) == 20);

struct Q5_0Block {
  static constexpr int64_t kWeights = 32;
  uint8_t scale[2], fifth_bits[4], nibbles[16];

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    ShortBlock{half_of(scale), kNoOffset, word_of(fifth_bits), 16}.expand(nibbles, to);
  }
};
static_assert(sizeof(Q5_0Block) == 22);

struct Q5_1Block {
  static constexpr int64_t kWeights = 32;
  uint8_t scale[2], minimum[2], fifth_bits[4], nibbles[16];

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    ShortBlock{half_of(scale), half_of(minimum), word_of(fifth_bits), 0}.expand(nibbles, to);
  }
};
static_assert(sizeof(Q5_1Block) == 24);

/// The head of Q4_K and Q5_K: eight groups of 32 weights, w = d·s_g·q - e·m_g with s_g and m_g of six bits. Bytes 0-3
/// hold s_0…s_3 in their low six bits and the top two bits of s_4…s_7 above; bytes 4-7 the same of m; bytes 8-11 the
/// low four bits of s_4…s_7 (low nibbles) and of m_4…m_7 (high nibbles).
struct SixBitScales {
  uint8_t scale[2], minimum[2], packed[12];

  ASSAY_INLINE void expand(float* scales, float* offsets) const {
    const float d = half_of(scale), e = ASSAY_TWIN("io.minimum_added") ? half_of(minimum) : -half_of(minimum);
    const int top = ASSAY_TWIN("io.six_bit_scales_without_top_bits") ? 0 : 3;
    for (size_t i = 0; i < 4; ++i) {
      scales[i] = d * static_cast<float>(packed[i] & 63);
      offsets[i] = e * static_cast<float>(packed[i + 4] & 63);
      scales[i + 4] = d * static_cast<float>((packed[i + 8] & 15) | (packed[i] >> 6 & top) << 4);
      offsets[i + 4] = e * static_cast<float>(packed[i + 8] >> 4 | (packed[i + 4] >> 6 & top) << 4);
    }
  }
};
static_assert(sizeof(SixBitScales) == 16);

struct Q4KBlock {
  static constexpr int64_t kWeights = 256;
  SixBitScales scales;
  uint8_t nibbles[128];  // 32 bytes hold two groups

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    float s[8], m[8];
    scales.expand(s, m);
    for (size_t g = 0; g < 8; g += 2) {
      const auto weight = [](float d, float e) { return [=](int q, size_t) { return d * static_cast<float>(q) + e; }; };
      expand_nibbles<0, 32>(nibbles + 16 * g, to + 32 * g, weight(s[g], m[g]));
      expand_nibbles<4, 32>(nibbles + 16 * g, to + 32 * g + 32, weight(s[g + 1], m[g + 1]));
    }
  }
};
static_assert(sizeof(Q4KBlock) == 144);

struct Q5KBlock {
  static constexpr int64_t kWeights = 256;
  SixBitScales scales;
  uint8_t fifth_bits[32];  // bit g of byte i belongs to weight i of group g
  uint8_t nibbles[128];

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    float s[8], m[8];
    scales.expand(s, m);
    const int fifth = ASSAY_TWIN("io.fifth_bits_ignored") ? 0 : 16;
    for (size_t g = 0; g < 8; g += 2) {
      const auto weight = [=](float d, float e, size_t group) {
        return [=](int q, int bits) { return d * static_cast<float>(q | (bits >> group << 4 & fifth)) + e; };
      };
      expand_nibbles<0, 32>(nibbles + 16 * g, fifth_bits, to + 32 * g, weight(s[g], m[g], g));
      expand_nibbles<4, 32>(nibbles + 16 * g, fifth_bits, to + 32 * g + 32, weight(s[g + 1], m[g + 1], g + 1));
    }
  }
};
static_assert(sizeof(Q5KBlock) == 176);

/// Two halves of 128 weights; in each, four runs of 32 take the low nibbles of bytes 0-31 and 32-63, then the high
/// ones, and bits 0-1, 2-3, 4-5, 6-7 of 32 bytes above them. Sixteen weights share a signed scale.
struct Q6KBlock {
  static constexpr int64_t kWeights = 256;
  uint8_t nibbles[128], high_bits[64];
  int8_t scales[16];
  uint8_t scale[2];

  template <class Number>
  ASSAY_INLINE void expand(Number* __restrict to) const {
    const float d = half_of(scale);
    for (size_t group = 0; group < 16; ++group) {
      const size_t half = group / 8, run = group % 8 / 2, column = group % 2 * 16;
      const size_t shift = ASSAY_TWIN("io.high_bits_reversed") ? 6 - 2 * run : 2 * run;
      const uint8_t* low = nibbles + 64 * half + 32 * (run % 2) + column;
      const uint8_t* high = high_bits + 32 * half + column;
      const float s = d * static_cast<float>(scales[group]);
      const auto weight = [=](int q, int bits) { return s * static_cast<float>((q | (bits >> shift & 3) << 4) - 32); };
      if (run < 2) {
        expand_nibbles<0, 16>(low, high, to + 16 * group, weight);
      } else {
        expand_nibbles<4, 16>(low, high, to + 16 * group, weight);
      }
    }
  }
};
static_assert(sizeof(Q6KBlock) == 210);

}  // namespace assay::io
