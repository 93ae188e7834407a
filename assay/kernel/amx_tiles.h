// The matrix unit of x86 processors (AMX): eight registers, each a tile of 16 rows of 64 bytes, and one instruction
// that multiplies two tiles of bf16 and adds to a tile of float32, 16,384 operations in 16 cycles. A thread sets the
// tiles up before it uses them and gives them back, or the kernel of the system saves 8 KiB for it at every switch.
//
// Operands lie in strips of 32 rows of A, or 32 columns of B, as the unit loads them (amx_packing.h): at every step of
// 32 along the depth two tiles of 1 KiB, one after the other. Four tiles of sums, 32 x 32, stay in registers meanwhile:
// of four loads and four products a step the loads take half as long when the operands lie in the innermost cache.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "assay/kernel/lanes.h"

namespace assay::kernel {

constexpr int64_t kTileRows = 16;                  // of a tile: of A, or pairs along the depth of B
constexpr int64_t kTileWords = 16 * kTileRows;     // 1 KiB
constexpr int64_t kStrip = 2 * kTileRows;          // rows of A or columns of B side by side
constexpr int64_t kStepDepth = 32;                 // numbers along the depth that a tile holds
constexpr int64_t kStepWords = 2 * kTileWords;     // of a strip
constexpr int64_t kSumsOfTiles = kStrip * kStrip;  // float32

/// Whether this process may use the unit: the processor has it and the system grants it.
bool has_amx();

#if defined(__x86_64__)
#define ASSAY_AMX_TARGET "amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"
#define ASSAY_AMX __attribute__((target(ASSAY_AMX_TARGET)))
/// Behind the parameters of a lambda.
#define ASSAY_INLINE_ON_AMX __attribute__((always_inline, target(ASSAY_AMX_TARGET)))

/// The tiles of the calling thread, set up for as long as the object lives.
class AmxTiles {
 public:
  ASSAY_AMX AmxTiles() {
    alignas(64) uint8_t rule[64] = {1};  // palette 1; bytes of a row from 16 on, rows from 48 on
    for (int tile = 0; tile < 8; ++tile) {
      rule[16 + 2 * tile] = 64;
      rule[48 + tile] = 16;
    }
    // The intrinsic of g++ 12 says that it reads eight bytes of these: they would not be written.
    asm volatile("" : : "r"(rule) : "memory");
    _tile_loadconfig(rule);
  }
  ASSAY_AMX ~AmxTiles() { _tile_release(); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;
};

/// What the vector units do while the matrix unit multiplies: nothing.
struct Idle {
  ASSAY_AMX ASSAY_INLINE void operator()(int64_t /*step*/) const {}
};

/// sums, four tiles of 16 x 16 one after the other (upper left, upper right, lower left, lower right), = or += the
/// product of `steps` steps of a strip of A and one of B. `meanwhile(step)` runs beside the unit's work.
template <typename Meanwhile = Idle>
ASSAY_AMX ASSAY_INLINE void multiply_tiles(const uint32_t* left, const uint32_t* right, int64_t steps, bool add,
                                           float* sums, const Meanwhile& meanwhile = {}) {
  asm volatile("" : : : "memory");  // the loads of g++ 12 do not say what they read
  if (add) {
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + kTileWords, 64);
    _tile_loadd(2, sums + 2 * kTileWords, 64);
    _tile_loadd(3, sums + 3 * kTileWords, 64);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t step = 0; step < steps; ++step) {
    _tile_loadd(4, left, 64);
    _tile_stream_loadd(6, right, 64);  // passes by: the strip of A is what the innermost cache shall keep
    _tile_dpbf16ps(0, 4, 6);
    _tile_stream_loadd(7, right + kTileWords, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, left + kTileWords, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    meanwhile(step);
    left += kStepWords;
    right += kStepWords;
  }
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + kTileWords, 64);
  _tile_stored(2, sums + 2 * kTileWords, 64);
  _tile_stored(3, sums + 3 * kTileWords, 64);
}

/// Where row `i` of four tiles of 16 x 16 begins; its second half lies kTileWords further.
constexpr int64_t row_of_tiles(int64_t i) {
  return i / kTileRows * 2 * kTileWords + i % kTileRows * kTileRows;
}

/// Of row `row` the place of `column` in panels of 32 columns of such sums, and of step `step` in a packed strip of A.
constexpr int64_t place_in_sums(int64_t row, int64_t column) {
  return column / kStrip * kSumsOfTiles + row_of_tiles(row) + column % kStrip / kTileRows * kTileWords;
}
constexpr int64_t place_in_strip(int64_t row, int64_t step) {
  return step * kStepWords + row / kTileRows * kTileWords + row % kTileRows * kTileRows;
}

/// The first `count` of 16 lanes.
ASSAY_INLINE __mmask16 first_lanes(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFFU : count > 0 ? (1U << count) - 1 : 0U);
}

/// Four tiles of sums, `height` x `width` of them, to a matrix whose rows lie `stride` apart, each row times its factor
/// where there are any.
ASSAY_AMX ASSAY_INLINE void put_tiles(const float* sums, int64_t height, int64_t width, const float* factors, float* to,
                                      int64_t stride) {
  const __mmask16 left = first_lanes(width), right = first_lanes(width - kTileRows);
  for (int64_t i = 0; i < height; ++i, to += stride) {
    const float* from = sums + row_of_tiles(i);
    __m512 first = _mm512_load_ps(from), second = _mm512_load_ps(from + kTileWords);
    if (factors) {
      first = _mm512_mul_ps(first, _mm512_set1_ps(factors[i]));
      second = _mm512_mul_ps(second, _mm512_set1_ps(factors[i]));
    }
    _mm512_mask_storeu_ps(to, left, first);
    _mm512_mask_storeu_ps(to + kTileRows, right, second);
  }
}
#endif

}  // namespace assay::kernel
