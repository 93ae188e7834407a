#include "assay/kernel/norm.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

struct NormForward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* x, const Number* weight, Number epsilon, int64_t rows, int64_t width,
                               Number* output, Number* inverses) {
    using L = Lanes<Number, kBytes>;
    for (int64_t row = 0; row < rows; ++row, x += width, output += width) {
      L squares{};
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L value;
        value.load(x + i, count);
        squares.values += value.values * value.values;
      });
      const Number inverse = Number{1} / std::sqrt(squares.sum() / static_cast<Number>(width) + epsilon);
      inverses[row] = inverse;
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L value, scale;
        value.load(x + i, count);
        scale.load(weight + i, count);
        value.values *= scale.values * inverse;
        value.store(output + i, count);
      });
    }
  }
};

// Adds to `to_weight`; either result may be null.
struct NormBackward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* gradient, const Number* x, const Number* weight, const Number* inverses,
                               int64_t rows, int64_t width, bool project, Number* to_x, Number* to_weight) {
    using L = Lanes<Number, kBytes>;
    for (int64_t row = 0; row < rows; ++row, x += width, gradient += width) {
      const Number inverse = inverses[row];
      if (to_x) {
        L products{};
        by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
          L given, value, scale;
          given.load(gradient + i, count);
          value.load(x + i, count);
          scale.load(weight + i, count);
          products.values += given.values * scale.values * value.values;
        });
        const Number share = project ? products.sum() * inverse / static_cast<Number>(width) : Number{0};
        by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
          L given, value, scale;
          given.load(gradient + i, count);
          value.load(x + i, count);
          scale.load(weight + i, count);
          value.values = (given.values * scale.values - value.values * inverse * share) * inverse;
          value.store(to_x + row * width + i, count);
        });
      }
      if (!to_weight) continue;
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L given, value, sum;
        given.load(gradient + i, count);
        value.load(x + i, count);
        sum.load(to_weight + i, count);
        sum.values += given.values * value.values * inverse;
        sum.store(to_weight + i, count);
      });
    }
  }
};

template <typename Number>
void norm_forward(const at::Tensor& x, const at::Tensor& weight, double epsilon, const at::Tensor& output,
                  const at::Tensor& inverses) {
  const int64_t width = weight.numel();
  const Number *from = x.const_data_ptr<Number>(), *scale = weight.const_data_ptr<Number>();
  Number *to = output.data_ptr<Number>(), *inverse = inverses.data_ptr<Number>();
  const int64_t grain = std::max<int64_t>(1, kChunkOfLanes / width);
  at::parallel_for(0, inverses.numel(), grain, [&](int64_t begin, int64_t end) {
    on_widest_lanes<NormForward>(from + begin * width, scale, static_cast<Number>(epsilon), end - begin, width,
                                 to + begin * width, inverse + begin);
  });
}

// Undefined results are not computed. What goes to the weight is summed by blocks of rows, then over the blocks.
template <typename Number>
void norm_backward(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
                   const at::Tensor& inverses, const at::Tensor& to_x, const at::Tensor& to_weight) {
  const int64_t width = weight.numel(), rows = inverses.numel();
  const int64_t height = std::max<int64_t>(1, kChunkOfLanes / width), blocks = (rows + height - 1) / height;
  const bool project = !ASSAY_TWIN("kernel.norm_backward_without_projection");
  const at::Tensor sums = to_weight.defined() ? at::zeros({blocks, width}, weight.options()) : at::Tensor();
  const Number *given = gradient.const_data_ptr<Number>(), *from = x.const_data_ptr<Number>();
  const Number *scale = weight.const_data_ptr<Number>(), *inverse = inverses.const_data_ptr<Number>();
  Number* x_place = to_x.defined() ? to_x.data_ptr<Number>() : nullptr;
  Number* sum_place = sums.defined() ? sums.data_ptr<Number>() : nullptr;
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * height, count = std::min(height, rows - first), place = first * width;
      on_widest_lanes<NormBackward>(given + place, from + place, scale, inverse + first, count, width, project,
                                    x_place ? x_place + place : nullptr,
                                    sum_place ? sum_place + block * width : nullptr);
    }
  });
  if (!sum_place) return;
  Number* weight_place = to_weight.data_ptr<Number>();
  std::fill_n(weight_place, width, Number{0});
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t i = 0; i < width; ++i) weight_place[i] += sum_place[block * width + i];
  }
}

bool norm_is_fused(const at::Tensor& x, const at::Tensor& weight) {
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return known && x.is_cpu() && weight.is_cpu() && weight.scalar_type() == x.scalar_type() && x.numel() > 0 &&
         x.dim() > 0 && weight.dim() == 1 && weight.size(0) == x.size(-1);
}

}  // namespace

at::Tensor rms_scale(const at::Tensor& x, double epsilon) {
  return x.square().mean(/*dim=*/{-1}, /*keepdim=*/true).add(epsilon).sqrt();
}

at::Tensor rms_norm_plain(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  return x.div(rms_scale(x, epsilon)).mul(weight);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (!norm_is_fused(x, weight)) return rms_norm_plain(x, weight, epsilon);
  at::Tensor from, scale, output, inverses;
  {
    const at::NoGradGuard no_history;
    from = x.detach().contiguous();
    scale = weight.detach().contiguous();
    output = at::empty_like(from);
    inverses = at::empty({from.numel() / scale.numel()}, from.options());
    const auto forward = from.scalar_type() == at::kDouble ? norm_forward<double> : norm_forward<float>;
    forward(from, scale, epsilon, output, inverses);
  }
  const bool x_wanted = x.requires_grad(), weight_wanted = weight.requires_grad();
  return attach_backward(output, {x, weight}, [from, scale, inverses, x_wanted, weight_wanted](const at::Tensor& g) {
    const at::NoGradGuard no_history;
    const at::Tensor to_x = x_wanted ? at::empty_like(from) : at::Tensor();
    const at::Tensor to_weight = weight_wanted ? at::empty_like(scale) : at::Tensor();
    const auto backward = from.scalar_type() == at::kDouble ? norm_backward<double> : norm_backward<float>;
    backward(g.contiguous(), from, scale, inverses, to_x, to_weight);
    return std::vector<at::Tensor>{to_x, to_weight};
  });
}

}  // namespace assay::kernel
