#include "assay/kernel/gelu.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>

#include <array>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/lane_exponential.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

// P of the head, from the last term to the first.
constexpr std::array<double, 9> kGeluTail = {-0.072033977554763,  0.28545339771569783,  -0.33418966561304947,
                                             0.3540336703152426,  -0.09724572852105962, 0.12635515627027533,
                                             0.06879003786988729, 0.08512940843154698,  0.08370770289423898};

template <typename Number, size_t kTerm, typename Values>
ASSAY_INLINE void gelu_add_terms(const Values& t, Values& series) {
  series = series * t + static_cast<Number>(kGeluTail[kTerm]);
  if constexpr (kTerm + 1 < kGeluTail.size()) gelu_add_terms<Number, kTerm + 1>(t, series);
}

constexpr double kLog2E = 1.44269504088896340736;

// What multiplies x in the value, and x times its derivative where that is wanted. Beyond a bound the share is 0 or 1
// to the last bit, or so small that it is as good a zero as any; short of it every power is a normal number.
template <bool kExact>
struct GeluShare;

template <>
struct GeluShare<true> {  // Φ(x) and x·φ(x)
  template <int kBytes, typename Number>
  static ASSAY_INLINE void make(const Lanes<Number, kBytes>& x, bool with_density, Lanes<Number, kBytes>& share,
                                Lanes<Number, kBytes>& density) {
    using Values = typename Lanes<Number, kBytes>::Values;
    constexpr Number kBound = 13;  // e^(-x²/2) = 2^-122
    Values size = absolute(x).values;
    size = size > kBound ? Values{} + kBound : size;
    Lanes<Number, kBytes> bell;
    bell.values = size * size * static_cast<Number>(-0.5 * kLog2E);
    exponentiate_base_two(bell);
    const Values t = Number{1} / (Number{1} + size * Number(0.21));
    Values tail = t * static_cast<Number>(kGeluTail[0]) + static_cast<Number>(kGeluTail[1]);
    gelu_add_terms<Number, 2>(t, tail);
    tail *= t * bell.values;
    share.values = x.values < 0 ? tail : Number{1} - tail;
    if (with_density) density.values = x.values * bell.values * Number(0.398942280401432677940);
  }
};

template <>
struct GeluShare<false> {  // σ(2u) and x·σ(1 - σ)·2u'
  template <int kBytes, typename Number>
  static ASSAY_INLINE void make(const Lanes<Number, kBytes>& given, bool with_density, Lanes<Number, kBytes>& share,
                                Lanes<Number, kBytes>& density) {
    using Values = typename Lanes<Number, kBytes>::Values;
    constexpr Number kBound = sizeof(Number) == 4 ? Number(9.8) : Number(16);  // e^(-2u) = 2^122, 2^458
    constexpr double kTwice = 2 * 0.797884560802865355880, kCubic = 0.044715;  // 2·sqrt(2/π)
    Values x = given.values > kBound ? Values{} + kBound : given.values;
    x = x < -kBound ? Values{} - kBound : x;
    const Values square = x * x;
    Lanes<Number, kBytes> e;
    e.values = x * (square * static_cast<Number>(-kTwice * kCubic * kLog2E) - static_cast<Number>(kTwice * kLog2E));
    exponentiate_base_two(e);
    share.values = Number{1} / (Number{1} + e.values);
    if (!with_density) return;
    const Values slope = square * static_cast<Number>(3 * kTwice * kCubic) + static_cast<Number>(kTwice);
    density.values = x * share.values * (e.values * share.values) * slope;  // 1 - σ without a difference
  }
};

// `slope` may be null.
template <bool kExact>
struct GeluKernel {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* x, int64_t numbers, bool with_density, Number* value, Number* slope) {
    using L = Lanes<Number, kBytes>;
    const auto step = [=](int64_t i, auto count, bool with_slope) ASSAY_INLINE_LAMBDA {
      L given, share, density;
      given.load(x + i, count);
      GeluShare<kExact>::make(given, with_slope, share, density);
      given.values *= share.values;
      given.store(value + i, count);
      if (!with_slope) return;
      if (with_density) share.values += density.values;
      share.store(slope + i, count);
    };
    if (slope) {
      by_lanes<L>(numbers, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA { step(i, count, true); });
    } else {
      by_lanes<L>(numbers, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA { step(i, count, false); });
    }
  }
};

template <bool kExact, typename Number>
void gelu_fill(const at::Tensor& x, const at::Tensor& value, const at::Tensor& slope) {
  const bool with_density = !ASSAY_TWIN("kernel.gelu_slope_without_density");
  const Number* from = x.const_data_ptr<Number>();
  Number *to = value.data_ptr<Number>(), *slope_place = slope.defined() ? slope.data_ptr<Number>() : nullptr;
  at::parallel_for(0, x.numel(), kChunkOfLanes, [&](int64_t begin, int64_t end) {
    on_widest_lanes<GeluKernel<kExact>>(from + begin, end - begin, with_density, to + begin,
                                        slope_place ? slope_place + begin : nullptr);
  });
}

template <bool kExact>
at::Tensor gelu_fused(const at::Tensor& x) {
  const bool with_slope = at::GradMode::is_enabled() && x.requires_grad();
  at::Tensor value, slope;
  {
    const at::NoGradGuard no_history;
    const at::Tensor from = x.detach().contiguous();
    value = at::empty_like(from);
    if (with_slope) slope = at::empty_like(from);
    if constexpr (kExact) {
      gelu_fill<true, float>(from, value, slope);
    } else {
      (from.scalar_type() == at::kDouble ? gelu_fill<false, double> : gelu_fill<false, float>)(from, value, slope);
    }
  }
  return attach_backward(value, {x}, [slope](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    return std::vector<at::Tensor>{gradient.mul(slope)};
  });
}

}  // namespace

at::Tensor gelu_plain(const at::Tensor& x) {
  return at::gelu(x);
}

at::Tensor gelu_tanh_plain(const at::Tensor& x) {
  return at::gelu(x, "tanh");
}

at::Tensor gelu(const at::Tensor& x) {
  if (ASSAY_TWIN("kernel.gelu_kinds_swapped")) return gelu_tanh_plain(x);
  const bool fused = x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0;
  return fused ? gelu_fused<true>(x) : gelu_plain(x);
}

at::Tensor gelu_tanh(const at::Tensor& x) {
  if (ASSAY_TWIN("kernel.gelu_kinds_swapped")) return gelu_plain(x);
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return known && x.is_cpu() && x.numel() > 0 ? gelu_fused<false>(x) : gelu_tanh_plain(x);
}

}  // namespace assay::kernel
