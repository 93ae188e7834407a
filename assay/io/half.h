// 16-bit floating-point numbers: IEEE half precision and bfloat16 widened to float32, exactly, and float32 rounded to
// bfloat16. Branch-free but for one select, so that loops over them become vector code.
#pragma once

#include <bit>
#include <cstdint>

namespace assay::io {

constexpr float half_to_float(uint16_t half) noexcept {
  // Sign aside, the bits moved to float32's place mean the number times 2^-112, subnormals included; the product is
  // exact.
  constexpr float kRebias = 0x1p112f;
  const uint32_t sign = (half & 0x8000u) << 16;
  const float magnitude = std::bit_cast<float>((half & 0x7FFFu) << 13) * kRebias;
  const uint32_t infinite_or_nan = (half & 0x7C00u) == 0x7C00u ? 0x7F800000u : 0u;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | infinite_or_nan | sign);
}

constexpr float bfloat16_to_float(uint16_t bits) noexcept {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

/// To nearest, ties to even; too large for the type becomes infinity. A NaN gives the positive quiet one.
constexpr uint16_t float_to_bfloat16(float number) noexcept {
  const auto bits = std::bit_cast<uint32_t>(number);
  const uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0u : rounded);
}

}  // namespace assay::io
