#include "assay/kernel/gated_activation.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/silu.h>

#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

template <typename Number>
struct GatedConstants;
template <>
struct GatedConstants<float> {
  using Bits = uint32_t;
  static constexpr float kLargest = 87, kRound = 0x1.8p23F, kLog2High = 0.693359375F, kLog2Low = -2.12194440e-4F;
  static constexpr Bits kMantissa = 23, kBias = 127;
  static constexpr int kDegree = 7;  // 0.35^8 / 8! < 6e-9
};
template <>
struct GatedConstants<double> {
  using Bits = uint64_t;
  static constexpr double kLargest = 700, kRound = 0x1.8p52, kLog2High = 0.693145751953125;
  static constexpr double kLog2Low = 1.42860682030941723212e-6;
  static constexpr Bits kMantissa = 52, kBias = 1023;
  static constexpr int kDegree = 13;  // 0.35^14 / 14! < 5e-18
};

constexpr double gated_factorial(int n) {
  return n < 2 ? 1 : n * gated_factorial(n - 1);
}

// Horner's scheme from r^kPower/kPower! down to 1; a recursion, because GCC leaves so short a loop rolled up at -O2.
template <typename Number, int kPower, typename Values>
ASSAY_INLINE void gated_add_terms(const Values& r, Values& series) {
  constexpr Number kCoefficient = static_cast<Number>(1 / gated_factorial(kPower));
  series = series * r + kCoefficient;
  if constexpr (kPower > 0) gated_add_terms<Number, kPower - 1>(r, series);
}

// e^(-x) = 2^n · e^r with |r| <= ln(2)/2, e^r by Taylor's series. The argument is held where 2^n and the result are
// normal numbers, and 1/(1 + e^87) is as good a zero as any. A NaN stays one: its r is.
template <typename Number, int kBytes>
ASSAY_INLINE void gated_exponential(const Lanes<Number, kBytes>& x, Lanes<Number, kBytes>& result) {
  using C = GatedConstants<Number>;
  using Values = typename Lanes<Number, kBytes>::Values;
  Values y = -x.values;
  y = y > C::kLargest ? Values{} + C::kLargest : y;
  y = y < -C::kLargest ? Values{} - C::kLargest : y;
  // Adding 1.5 · 2^(mantissa's bits) rounds to an integer and leaves it in the low bits.
  const Values shifted = y * Number(1.44269504088896340736) + C::kRound;
  const Values n = shifted - C::kRound;
  const Values r = y - n * C::kLog2High - n * C::kLog2Low;  // ln 2 in two parts: products with the first are exact
  Values series{};
  gated_add_terms<Number, C::kDegree>(r, series);
  // The bits above the mantissa are shifted out, those of kRound with them; n + bias is the exponent of 2^n.
  typename Lanes<typename C::Bits, kBytes>::Values power;
  __builtin_memcpy(&power, &shifted, kBytes);
  power = (power + C::kBias) << C::kMantissa;
  Values scale;
  __builtin_memcpy(&scale, &power, kBytes);
  result.values = series * scale;
}

struct GatedForward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* gate, const Number* up, int64_t numbers, Number* output) {
    using L = Lanes<Number, kBytes>;
    L a, b, e;
    for (int64_t i = 0; i < numbers; i += L::kCount) {
      a.load(gate + i, numbers - i);
      b.load(up + i, numbers - i);
      gated_exponential(a, e);
      a.values = a.values / (Number{1} + e.values) * b.values;
      a.store(output + i, numbers - i);
    }
  }
};

// Either result may be null.
struct GatedBackward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* gradient, const Number* gate, const Number* up, int64_t numbers,
                               Number slope, Number* to_gate, Number* to_up) {
    using L = Lanes<Number, kBytes>;
    L g, a, b, e, result;
    for (int64_t i = 0; i < numbers; i += L::kCount) {
      const int64_t count = numbers - i;
      g.load(gradient + i, count);
      a.load(gate + i, count);
      gated_exponential(a, e);
      const typename L::Values sigmoid = Number{1} / (Number{1} + e.values);
      g.values *= sigmoid;
      if (to_up) {
        result.values = g.values * a.values;
        result.store(to_up + i, count);
      }
      if (to_gate) {
        b.load(up + i, count);
        result.values = g.values * b.values * (Number{1} + slope * a.values * (Number{1} - sigmoid));
        result.store(to_gate + i, count);
      }
    }
  }
};

template <typename Number>
void gated_forward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& output) {
  const Number *a = gate.const_data_ptr<Number>(), *b = up.const_data_ptr<Number>();
  Number* to = output.data_ptr<Number>();
  at::parallel_for(0, gate.numel(), kChunkOfLanes, [&](int64_t begin, int64_t end) {
    on_widest_lanes<GatedForward>(a + begin, b + begin, end - begin, to + begin);
  });
}

// Undefined results are not computed.
template <typename Number>
void gated_backward(const at::Tensor& gradient, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& to_gate,
                    const at::Tensor& to_up) {
  const Number slope = ASSAY_TWIN("kernel.gated_backward_without_sigmoid_slope") ? 0 : 1;
  const Number *g = gradient.const_data_ptr<Number>(), *a = gate.const_data_ptr<Number>();
  const Number* b = up.const_data_ptr<Number>();
  Number* a_place = to_gate.defined() ? to_gate.data_ptr<Number>() : nullptr;
  Number* b_place = to_up.defined() ? to_up.data_ptr<Number>() : nullptr;
  at::parallel_for(0, gate.numel(), kChunkOfLanes, [&](int64_t begin, int64_t end) {
    on_widest_lanes<GatedBackward>(g + begin, a + begin, b + begin, end - begin, slope,
                                   a_place ? a_place + begin : nullptr, b_place ? b_place + begin : nullptr);
  });
}

bool gated_is_fused(const at::Tensor& gate, const at::Tensor& up) {
  const bool known = gate.scalar_type() == at::kFloat || gate.scalar_type() == at::kDouble;
  return known && gate.is_cpu() && up.is_cpu() && up.scalar_type() == gate.scalar_type() && gate.numel() > 0 &&
         gate.sizes() == up.sizes();
}

}  // namespace

at::Tensor gated_silu_plain(const at::Tensor& gate, const at::Tensor& up) {
  return at::silu(gate).mul(up);
}

at::Tensor gated_silu(const at::Tensor& gate, const at::Tensor& up) {
  if (ASSAY_TWIN("kernel.gate_without_silu")) return gate.mul(up);
  if (!gated_is_fused(gate, up)) return gated_silu_plain(gate, up);
  at::Tensor a, b, output;
  {
    const at::NoGradGuard no_history;
    a = gate.detach().contiguous();
    b = up.detach().contiguous();
    output = at::empty_like(a);
    (a.scalar_type() == at::kDouble ? gated_forward<double> : gated_forward<float>)(a, b, output);
  }
  const bool gate_wanted = gate.requires_grad(), up_wanted = up.requires_grad();
  return attach_backward(output, {gate, up}, [a, b, gate_wanted, up_wanted](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    const at::Tensor to_gate = gate_wanted ? at::empty_like(a) : at::Tensor();
    const at::Tensor to_up = up_wanted ? at::empty_like(b) : at::Tensor();
    const auto backward = a.scalar_type() == at::kDouble ? gated_backward<double> : gated_backward<float>;
    backward(gradient.contiguous(), a, b, to_gate, to_up);
    return std::vector<at::Tensor>{to_gate, to_up};
  });
}

}  // namespace assay::kernel
