#include "assay/kernel/cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <vector>

#include "assay/core/philox.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/products.h"
#include "assay/kernel/softmax_row.h"

namespace assay::kernel {
namespace {

constexpr int64_t kChunkNumbers = int64_t{4} << 20;  // logits at a time: 16 MiB of float32 stays near the cache

template <typename Number>
int64_t invert_cumulative(const Number* probabilities, int64_t classes, double uniform) {
  double total = 0;
  for (int64_t v = 0; v < classes; ++v) total += static_cast<double>(probabilities[v]);
  const double level = uniform * total;
  double sum = 0;
  int64_t last = 0;
  for (int64_t v = 0; v < classes; ++v) {
    if (probabilities[v] <= 0) continue;
    sum += static_cast<double>(probabilities[v]);
    last = v;
    if (sum > level) return v;
  }
  return last;
}

template <typename Number>
void draw_rows(const at::Tensor& probabilities, uint64_t seed, const DrawKey* keys, int64_t* targets) {
  const int64_t rows = probabilities.size(0), classes = probabilities.size(1);
  const Number* data = probabilities.const_data_ptr<Number>();
  at::parallel_for(0, rows, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      targets[row] =
          invert_cumulative(data + row * classes, classes, random_uniform(seed, keys[row].stream, keys[row].index));
    }
  });
}

// One chunk of rows with a head of bf16. Probabilities leave the softmax as bf16, which the product with the head
// reads; the target's own row of the head is added as it is.
void bf16_chunk(const at::Tensor& hidden, const at::Tensor& head, const ChooseTargets& choose, int64_t first,
                const at::Tensor& values, const at::Tensor& slope) {
  const int64_t rows = hidden.size(0), classes = head.size(0);
  const at::Tensor logits = product(hidden, head.t()), exps = at::empty_like(logits);
  const at::Tensor probabilities = at::empty({rows, classes}, logits.options().dtype(at::kBFloat16));
  const at::Tensor log_sums = at::empty({rows}, logits.options());
  const auto* from = logits.const_data_ptr<float>();
  float *to = exps.data_ptr<float>(), *sums = log_sums.data_ptr<float>();
  at::BFloat16* rounded = probabilities.data_ptr<at::BFloat16>();
  at::parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t place = row * classes;
      on_widest_lanes<SoftmaxRow>(from + place, classes, 1.0F, to + place, rounded + place, sums + row);
    }
  });
  // Draws go by shares of the sum, whatever it is: the exponentials do.
  const at::Tensor targets = choose(exps, first);
  values.copy_(logits.gather(1, targets.unsqueeze(1)).squeeze(1).sub(log_sums));
  if (!slope.defined()) return;
  put_product(slope, probabilities, head);
  slope.neg_().add_(head.index_select(0, targets));
}

}  // namespace

ChooseTargets given_targets(at::Tensor targets) {
  return [targets = std::move(targets)](const at::Tensor& probabilities, int64_t first_row) {
    return targets.narrow(0, first_row, probabilities.size(0));
  };
}

ChooseTargets drawn_targets(uint64_t seed, std::vector<DrawKey> keys) {
  return [seed, keys = std::move(keys)](const at::Tensor& probabilities, int64_t first_row) {
    at::Tensor targets = at::empty({probabilities.size(0)}, at::kLong);
    const at::Tensor rows = probabilities.contiguous();
    const DrawKey* first = keys.data() + first_row;
    if (rows.scalar_type() == at::kDouble) {
      draw_rows<double>(rows, seed, first, targets.data_ptr<int64_t>());
    } else {
      draw_rows<float>(rows.to(at::kFloat), seed, first, targets.data_ptr<int64_t>());
    }
    return targets;
  };
}

at::Tensor logit_log_probabilities(const at::Tensor& logits, const ChooseTargets& choose) {
  const at::Tensor log_probabilities = at::log_softmax(logits, 1);
  const at::Tensor targets = choose(log_probabilities.detach().exp(), 0);
  return log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1);
}

at::Tensor head_log_probabilities(const at::Tensor& hidden, const at::Tensor& head, const ChooseTargets& choose) {
  if (at::GradMode::is_enabled() && head.requires_grad())
    return logit_log_probabilities(kernel::linear(hidden, head, /*bias=*/{}), choose);

  const bool with_gradient = at::GradMode::is_enabled() && hidden.requires_grad();
  const int64_t rows = hidden.size(0), classes = head.size(0);
  const int64_t chunk = std::max<int64_t>(1, kChunkNumbers / classes);
  at::Tensor values = at::empty({rows}, hidden.options().requires_grad(false));
  at::Tensor slope;  // d(values[n]) / d(hidden[n]): [n,D]
  {
    const at::NoGradGuard no_history;
    if (with_gradient) slope = at::empty_like(hidden);
    for (int64_t first = 0; first < rows; first += chunk) {
      const int64_t count = std::min(chunk, rows - first);
      if (head.scalar_type() == at::kBFloat16) {
        bf16_chunk(hidden.narrow(0, first, count), head.detach(), choose, first, values.narrow(0, first, count),
                   with_gradient ? slope.narrow(0, first, count) : at::Tensor());
        continue;
      }
      const at::Tensor logits = product(hidden.narrow(0, first, count), head.t());
      const at::Tensor log_probabilities = at::log_softmax(logits, 1);
      const at::Tensor probabilities = log_probabilities.exp();
      const at::Tensor targets = choose(probabilities, first).unsqueeze(1);
      values.narrow(0, first, count).copy_(log_probabilities.gather(1, targets).squeeze(1));
      if (!with_gradient) continue;
      const at::Tensor residual = probabilities.neg_();  // one-hot(target) - p: d(log p[target]) / d(logits)
      residual.scatter_add_(1, targets, at::ones({count, 1}, residual.options()));
      put_product(slope.narrow(0, first, count), residual, head);
    }
  }
  return attach_backward(values, {hidden}, [slope](const at::Tensor& gradient) {
    return std::vector<at::Tensor>{slope.mul(gradient.unsqueeze(1))};
  });
}

}  // namespace assay::kernel
