// e^x on lanes: a 2^n by Cody and Waite's reduction, the rest by Taylor's series. Within 2e-7 of the true one in
// float32 and 5e-16 in float64, relative, over the whole range; beyond ±87 (±700) the result is that of the bound, a
// normal number, so that 1/(1 + e^87) is as good a zero as any. A NaN stays one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "assay/kernel/lanes.h"

namespace assay::kernel {

template <typename Number>
struct ExponentialConstants;
template <>
struct ExponentialConstants<float> {
  using Bits = uint32_t;
  static constexpr float kLargest = 87, kRound = 0x1.8p23F, kLog2High = 0.693359375F, kLog2Low = -2.12194440e-4F;
  static constexpr Bits kMantissa = 23, kBias = 127;
  static constexpr int kDegree = 7;  // 0.35^8 / 8! < 6e-9
};
template <>
struct ExponentialConstants<double> {
  using Bits = uint64_t;
  static constexpr double kLargest = 700, kRound = 0x1.8p52, kLog2High = 0.693145751953125;
  static constexpr double kLog2Low = 1.42860682030941723212e-6;
  static constexpr Bits kMantissa = 52, kBias = 1023;
  static constexpr int kDegree = 13;  // 0.35^14 / 14! < 5e-18
};

constexpr double exponential_factorial(int n) {
  return n < 2 ? 1 : n * exponential_factorial(n - 1);
}

// Horner's scheme from r^kPower/kPower! down to 1; a recursion, because GCC leaves so short a loop rolled up at -O2.
template <typename Number, int kPower, typename Values>
ASSAY_INLINE void add_exponential_terms(const Values& r, Values& series) {
  constexpr Number kCoefficient = static_cast<Number>(1 / exponential_factorial(kPower));
  series = series * r + kCoefficient;
  if constexpr (kPower > 0) add_exponential_terms<Number, kPower - 1>(r, series);
}

/// x becomes e^x.
template <typename Number, int kBytes>
ASSAY_INLINE void exponentiate(Lanes<Number, kBytes>& x) {
  using C = ExponentialConstants<Number>;
  using Values = typename Lanes<Number, kBytes>::Values;
  Values y = x.values;
  y = y > C::kLargest ? Values{} + C::kLargest : y;
  y = y < -C::kLargest ? Values{} - C::kLargest : y;
  // Adding 1.5 · 2^(mantissa's bits) rounds to an integer and leaves it in the low bits.
  const Values shifted = y * Number(1.44269504088896340736) + C::kRound;
  const Values n = shifted - C::kRound;
  const Values r = y - n * C::kLog2High - n * C::kLog2Low;  // ln 2 in two parts: products with the first are exact
  Values series{};
  add_exponential_terms<Number, C::kDegree>(r, series);
  // The bits above the mantissa are shifted out, those of kRound with them; n + bias is the exponent of 2^n.
  typename Lanes<typename C::Bits, kBytes>::Values power;
  __builtin_memcpy(&power, &shifted, kBytes);
  power = (power + C::kBias) << C::kMantissa;
  Values scale;
  __builtin_memcpy(&scale, &power, kBytes);
  x.values = series * scale;
}

/// 2^r = Σ c_i r^i for |r| <= 1/2. In float32 fitted to the relative error, 2e-9; in float64 Taylor's.
template <typename Number>
inline constexpr auto kPowerSeries = std::array{1.0,
                                                0.6931472028550838,
                                                0.2402264791362658,
                                                0.05550332471099852,
                                                0.009618437357812861,
                                                0.0013398874422358333,
                                                0.0001535336189129468};
template <>
inline constexpr auto kPowerSeries<double> = [] {
  std::array<double, 14> terms{};
  double term = 1;
  for (size_t i = 0; i < terms.size(); ++i) {
    terms[i] = term;
    term *= 0.693147180559945309417 / static_cast<double>(i + 1);
  }
  return terms;
}();

template <typename Number, size_t kPower, typename Values>
ASSAY_INLINE void add_power_terms(const Values& r, Values& series) {
  series = series * r + static_cast<Number>(kPowerSeries<Number>[kPower]);
  if constexpr (kPower > 0) add_power_terms<Number, kPower - 1>(r, series);
}

/// x becomes 2^x; |x| must be at most 126 (1022).
template <typename Number, int kBytes>
ASSAY_INLINE void exponentiate_base_two(Lanes<Number, kBytes>& x) {
  using C = ExponentialConstants<Number>;
  using Values = typename Lanes<Number, kBytes>::Values;
  using Bits = typename Lanes<typename C::Bits, kBytes>::Values;
  constexpr size_t kDegree = kPowerSeries<Number>.size() - 1;
  const Values shifted = x.values + C::kRound;
  const Values r = x.values - (shifted - C::kRound);
  Values series =
      r * static_cast<Number>(kPowerSeries<Number>[kDegree]) + static_cast<Number>(kPowerSeries<Number>[kDegree - 1]);
  add_power_terms<Number, kDegree - 2>(r, series);
  Bits power, bits;  // the whole part goes to the exponent of the series, which lies between 1/sqrt(2) and sqrt(2)
  __builtin_memcpy(&power, &shifted, kBytes);
  __builtin_memcpy(&bits, &series, kBytes);
  bits += power << C::kMantissa;
  __builtin_memcpy(&x.values, &bits, kBytes);
}

}  // namespace assay::kernel
