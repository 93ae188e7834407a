#include "assay/kernel/gated_activation.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/silu.h>

#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/lane_exponential.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

struct GatedForward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* gate, const Number* up, int64_t numbers, Number* output) {
    using L = Lanes<Number, kBytes>;
    by_lanes<L>(numbers, [=](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
      L a, b, e;
      a.load(gate + i, count);
      b.load(up + i, count);
      e.values = -a.values;
      exponentiate(e);
      a.values = a.values / (Number{1} + e.values) * b.values;
      a.store(output + i, count);
    });
  }
};

// Either result may be null.
struct GatedBackward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* gradient, const Number* gate, const Number* up, int64_t numbers,
                               Number slope, Number* to_gate, Number* to_up) {
    using L = Lanes<Number, kBytes>;
    by_lanes<L>(numbers, [=](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
      L g, a, b, e, result;
      g.load(gradient + i, count);
      a.load(gate + i, count);
      e.values = -a.values;
      exponentiate(e);
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
    });
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
