#include "assay/kernel/layer_norm.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/lanes.h"

namespace assay::kernel {
namespace {

// What a row is shifted and scaled by.
template <typename Number>
struct RowMoments {
  Number mean, inverse;
};

struct LayerNormForward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* x, const Number* weight, const Number* bias, Number epsilon, int64_t rows,
                               int64_t width, bool only_row, Number* output, RowMoments<Number>* moments) {
    using L = Lanes<Number, kBytes>;
    for (int64_t row = 0; row < rows; ++row, x += width, output += width) {
      L sums{}, squares{};
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L value;
        value.load(x + i, count);
        sums.values += value.values;
      });
      const Number mean = sums.sum() / static_cast<Number>(width);
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L value;
        value.load(x + i, count);
        value.values -= mean;
        if (count < L::kCount && only_row) {  // lanes beyond the row held zeros, whose deviation must not count
          Number part[L::kCount];
          value.store(part, L::kCount);
          value.load(part, count);
        }
        squares.values += value.values * value.values;
      });
      const Number inverse = Number{1} / std::sqrt(squares.sum() / static_cast<Number>(width) + epsilon);
      moments[row] = {mean, inverse};
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L value, scale, shift;
        value.load(x + i, count);
        scale.load(weight + i, count);
        shift.load(bias + i, count);
        value.values = (value.values - mean) * inverse * scale.values + shift.values;
        value.store(output + i, count);
      });
    }
  }
};

// Adds to `to_weight` and `to_bias`; any result may be null.
struct LayerNormBackward {
  template <int kBytes, typename Number>
  static ASSAY_INLINE void run(const Number* gradient, const Number* x, const Number* weight,
                               const RowMoments<Number>* moments, int64_t rows, int64_t width, bool center,
                               Number* to_x, Number* to_weight, Number* to_bias) {
    using L = Lanes<Number, kBytes>;
    for (int64_t row = 0; row < rows; ++row, x += width, gradient += width) {
      const Number mean = moments[row].mean, inverse = moments[row].inverse;
      if (to_x) {
        L sums{}, products{};
        by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {  // beyond the row the weight is zero
          L given, value, scale;
          given.load(gradient + i, count);
          value.load(x + i, count);
          scale.load(weight + i, count);
          given.values *= scale.values;
          sums.values += given.values;
          products.values += given.values * (value.values - mean);
        });
        const Number level = center ? sums.sum() / static_cast<Number>(width) : Number{0};
        const Number share = products.sum() * inverse * inverse / static_cast<Number>(width);
        by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
          L given, value, scale;
          given.load(gradient + i, count);
          value.load(x + i, count);
          scale.load(weight + i, count);
          value.values = (given.values * scale.values - level - (value.values - mean) * share) * inverse;
          value.store(to_x + row * width + i, count);
        });
      }
      if (!to_weight && !to_bias) continue;
      by_lanes<L>(width, [&](int64_t i, auto count) ASSAY_INLINE_LAMBDA {
        L given, value, sum;
        given.load(gradient + i, count);
        if (to_bias) {
          sum.load(to_bias + i, count);
          sum.values += given.values;
          sum.store(to_bias + i, count);
        }
        if (!to_weight) return;
        value.load(x + i, count);
        sum.load(to_weight + i, count);
        sum.values += given.values * (value.values - mean) * inverse;
        sum.store(to_weight + i, count);
      });
    }
  }
};

struct LayerNormSaved {
  at::Tensor x, weight, bias, moments;  // moments [rows,2]
};

template <typename Number>
RowMoments<Number>* moments_of(const LayerNormSaved& saved) {
  return reinterpret_cast<RowMoments<Number>*>(saved.moments.data_ptr<Number>());
}

template <typename Number>
void layer_norm_forward(const LayerNormSaved& saved, double epsilon, const at::Tensor& output) {
  const int64_t width = saved.weight.numel();
  const Number *from = saved.x.const_data_ptr<Number>(), *scale = saved.weight.const_data_ptr<Number>();
  const Number* shift = saved.bias.const_data_ptr<Number>();
  const bool only_row = !ASSAY_TWIN("kernel.layer_norm_counts_empty_lanes");
  Number* to = output.data_ptr<Number>();
  RowMoments<Number>* moments = moments_of<Number>(saved);
  at::parallel_for(
      0, saved.moments.size(0), std::max<int64_t>(1, kChunkOfLanes / width), [&](int64_t begin, int64_t end) {
        on_widest_lanes<LayerNormForward>(from + begin * width, scale, shift, static_cast<Number>(epsilon), end - begin,
                                          width, only_row, to + begin * width, moments + begin);
      });
}

// Undefined results are not computed. What goes to weight and bias is summed by blocks of rows, then over the blocks.
template <typename Number>
void layer_norm_backward(const LayerNormSaved& saved, const at::Tensor& gradient, const at::Tensor& to_x,
                         const at::Tensor& to_weight, const at::Tensor& to_bias) {
  const int64_t width = saved.weight.numel(), rows = saved.moments.size(0);
  const int64_t height = std::max<int64_t>(1, kChunkOfLanes / width), blocks = (rows + height - 1) / height;
  const bool center = !ASSAY_TWIN("kernel.layer_norm_backward_without_mean");
  const auto zeros = [&](const at::Tensor& wanted) {
    return wanted.defined() ? at::zeros({blocks, width}, saved.weight.options()) : at::Tensor();
  };
  const auto place_of = [](const at::Tensor& t) { return t.defined() ? t.data_ptr<Number>() : nullptr; };
  const at::Tensor weight_sums = zeros(to_weight), bias_sums = zeros(to_bias);
  const Number *given = gradient.const_data_ptr<Number>(), *from = saved.x.const_data_ptr<Number>();
  const Number* scale = saved.weight.const_data_ptr<Number>();
  const RowMoments<Number>* moments = moments_of<Number>(saved);
  Number *x_place = place_of(to_x), *weight_place = place_of(weight_sums), *bias_place = place_of(bias_sums);
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * height, count = std::min(height, rows - first), place = first * width;
      on_widest_lanes<LayerNormBackward>(given + place, from + place, scale, moments + first, count, width, center,
                                         x_place ? x_place + place : nullptr,
                                         weight_place ? weight_place + block * width : nullptr,
                                         bias_place ? bias_place + block * width : nullptr);
    }
  });
  const auto add_up = [&](const Number* sums, const at::Tensor& total) {
    if (!sums) return;
    Number* to = total.data_ptr<Number>();
    std::fill_n(to, width, Number{0});
    for (int64_t block = 0; block < blocks; ++block) {
      for (int64_t i = 0; i < width; ++i) to[i] += sums[block * width + i];
    }
  };
  add_up(weight_place, to_weight);
  add_up(bias_place, to_bias);
}

bool layer_norm_is_fused(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto fits = [&](const at::Tensor& t) {
    return t.is_cpu() && t.scalar_type() == x.scalar_type() && t.dim() == 1 && t.size(0) == x.size(-1);
  };
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return known && x.is_cpu() && x.numel() > 0 && x.dim() > 0 && fits(weight) && fits(bias);
}

}  // namespace

at::Tensor layer_scale(const at::Tensor& x, double epsilon) {
  return x.sub(x.mean(/*dim=*/{-1}, /*keepdim=*/true)).square().mean({-1}, true).add(epsilon).sqrt();
}

at::Tensor layer_norm_plain(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon) {
  return at::layer_norm(x, weight.sizes(), weight, bias, epsilon);
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double epsilon) {
  if (!layer_norm_is_fused(x, weight, bias)) return layer_norm_plain(x, weight, bias, epsilon);
  LayerNormSaved saved;
  at::Tensor output;
  {
    const at::NoGradGuard no_history;
    saved = {x.detach().contiguous(), weight.detach().contiguous(), bias.detach().contiguous(), {}};
    saved.moments = at::empty({x.numel() / weight.numel(), 2}, saved.x.options());
    output = at::empty_like(saved.x);
    const auto forward = x.scalar_type() == at::kDouble ? layer_norm_forward<double> : layer_norm_forward<float>;
    forward(saved, epsilon, output);
  }
  const std::array<bool, 3> wanted = {x.requires_grad(), weight.requires_grad(), bias.requires_grad()};
  return attach_backward(output, {x, weight, bias}, [saved, wanted](const at::Tensor& g) {
    const at::NoGradGuard no_history;
    const at::Tensor to_x = wanted[0] ? at::empty_like(saved.x) : at::Tensor();
    const at::Tensor to_weight = wanted[1] ? at::empty_like(saved.weight) : at::Tensor();
    const at::Tensor to_bias = wanted[2] ? at::empty_like(saved.bias) : at::Tensor();
    const bool is_double = saved.x.scalar_type() == at::kDouble;
    (is_double ? layer_norm_backward<double> : layer_norm_backward<float>)(saved, g.contiguous(), to_x, to_weight,
                                                                           to_bias);
    return std::vector<at::Tensor>{to_x, to_weight, to_bias};
  });
}

}  // namespace assay::kernel
