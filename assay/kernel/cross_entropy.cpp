#include "assay/kernel/cross_entropy.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/log_softmax.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <vector>

#include "assay/core/twin.h"
#include "assay/kernel/amx_head.h"
#include "assay/kernel/amx_tiles.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/head_softmax.h"
#include "assay/kernel/products.h"

namespace assay::kernel {
namespace {

constexpr int64_t kChunkBytes = int64_t{64} << 20;  // of exponentials at a time: some hundred rows of any vocabulary
constexpr double kLeastShare = 1e-30;               // an exponential below it may be one that was cut off

/// Some rows that go through the softmax together, each a prediction of one target.
struct Chunk {
  int64_t first;    // row
  at::Tensor rows;  // [n,D] as the head multiplies them
  HeadSoftmax softmax;
  at::Tensor targets;  // [n]

  int64_t size() const { return rows.size(0); }
  at::Tensor divisors() const {
    const bool is_mistaken = ASSAY_TWIN("kernel.head_slope_by_the_other_sum");
    return (is_mistaken ? softmax.sums : softmax.kept_sums).neg().unsqueeze(1);
  }
  at::Tensor log_probabilities(const at::Tensor& head) const {
    const at::Tensor chosen = head.index_select(0, targets).to(softmax.sums.scalar_type());
    const at::Tensor values = chosen.mul_(rows).sum(1).sub_(softmax.levels).sub_(softmax.sums.log());
    if (softmax.exponentials.scalar_type() != values.scalar_type()) return values.clamp_max_(0);
    if (ASSAY_TWIN("kernel.certain_by_a_difference")) return values;
    // By the share itself, which is exact where it is next to 1; one that is lost beside the level has no share.
    const at::Tensor kept = softmax.exponentials.gather(1, targets.unsqueeze(1)).squeeze(1);
    return values.where(kept.lt(kLeastShare), kept.div(softmax.sums).log_());
  }
  /// to [n,D] = -Σ_v p_v W_v, to which the target's row is added for the slope d(log p[target]) / d(rows).
  void put_minus_mean(const at::Tensor& to, const at::Tensor& head) const {
    put_product(to, softmax.exponentials, head);
    to.div_(divisors());
  }
  /// to_head [V,D] = Σ_n factors[n] d(log p_n[target]) / d(head) of the first chunk, += of the others.
  void add_head_slope(const at::Tensor& to_head, const at::Tensor& factors) const {
    const at::Tensor scaled = rows.to(to_head.scalar_type()).mul(factors);
    const auto put = first == 0 || ASSAY_TWIN("kernel.head_slope_of_the_last_chunk") ? put_product : add_product;
    put(to_head, softmax.exponentials.t(), scaled.div(divisors()));
    if (!ASSAY_TWIN("kernel.head_slope_without_targets")) to_head.index_add_(0, targets, scaled);
  }
};

/// `values` with the slope [n,D] of each in its row of `hidden`, where there is one.
at::Tensor with_slope(const at::Tensor& values, const at::Tensor& slope, const at::Tensor& hidden) {
  if (!slope.defined()) return values;
  const at::AutoGradMode with_history(true);
  return attach_backward(values, {hidden}, [slope](const at::Tensor& gradient) {
    return std::vector<at::Tensor>{slope.mul(gradient.unsqueeze(1))};
  });
}

template <class Work>
void each_chunk(const at::Tensor& rows, const at::Tensor& head, const ChooseTargets& choose, const Work& work) {
  const auto row_bytes = head.size(0) * static_cast<int64_t>(head.element_size());
  const int64_t count = rows.size(0), most = std::max<int64_t>(1, kChunkBytes / row_bytes);
  for (int64_t first = 0; first < count; first += most) {
    Chunk chunk{first, rows.narrow(0, first, std::min(most, count - first)), {}, {}};
    chunk.softmax = head_softmax(chunk.rows, head);
    chunk.targets = choose(HeldShares(chunk.softmax.exponentials), first);
    work(std::move(chunk));
  }
}

}  // namespace

int64_t head_working_bytes(int64_t rows, int64_t width, int64_t vocabulary, at::ScalarType type) {
  if (type == at::kBFloat16 && has_amx()) return AmxHead::working_bytes(rows, width, vocabulary);
  return std::min(kChunkBytes, rows * vocabulary * static_cast<int64_t>(c10::elementSize(type)));
}

ChooseTargets given_targets(at::Tensor targets) {
  return [targets = std::move(targets)](const Shares& shares, int64_t first_row) {
    return targets.narrow(0, first_row, shares.rows());
  };
}

ChooseTargets drawn_targets(uint64_t seed, std::vector<DrawKey> keys) {
  return [seed, keys = std::move(keys)](const Shares& shares, int64_t first_row) {
    return shares.draw(seed, keys.data() + first_row);
  };
}

at::Tensor logit_log_probabilities(const at::Tensor& logits, const ChooseTargets& choose) {
  const at::Tensor log_probabilities = at::log_softmax(logits, 1);
  const at::Tensor targets = choose(HeldShares(log_probabilities.detach().exp()), 0);
  return log_probabilities.gather(1, targets.unsqueeze(1)).squeeze(1);
}

at::Tensor head_log_probabilities(const at::Tensor& hidden, const at::Tensor& head, const at::Tensor& targets,
                                  const HeadMoments& moments) {
  const at::NoGradGuard no_history;
  const at::Tensor chosen = head.detach().index_select(0, targets).to(moments.means.scalar_type());
  const at::Tensor rows = hidden.detach().to(head.scalar_type());
  const at::Tensor values = chosen.mul(rows).sum(1).sub_(moments.log_sums).clamp_max_(0);
  const at::Tensor slope =
      ASSAY_TWIN("kernel.remembered_without_the_target") ? moments.means.neg() : chosen.sub(moments.means);
  return with_slope(values, slope, hidden);
}

at::Tensor head_log_probabilities(const at::Tensor& hidden, const at::Tensor& head, const ChooseTargets& choose,
                                  HeadMoments* moments) {
  const at::Tensor weight = head.detach(), rows = hidden.detach().to(head.scalar_type());
  if (!has_head_softmax(rows, weight))
    return logit_log_probabilities(kernel::linear(hidden, head, /*bias=*/{}), choose);

  const bool has_history = at::GradMode::is_enabled();
  const bool rows_wanted = has_history && hidden.requires_grad(), head_wanted = has_history && head.requires_grad();
  at::Tensor values = at::empty({rows.size(0)}, hidden.options().requires_grad(false));
  at::Tensor slope;  // of the rows, where the head's own is not wanted: no chunk outlives its turn
  std::vector<Chunk> kept;
  {
    const at::NoGradGuard no_history;
    const bool is_kept = moments != nullptr && rows_wanted && !head_wanted;
    if (!head_wanted && hidden.scalar_type() == at::kFloat && AmxHead::can_read(rows, weight)) {
      const AmxHead said(rows, weight, rows_wanted);
      const at::Tensor chosen = weight.index_select(0, choose(said, 0)).to(at::kFloat);
      values = chosen.mul(rows).sum(1).sub_(said.log_sums()).clamp_max_(0);
      if (rows_wanted) slope = chosen.sub_(said.means());
      if (is_kept) *moments = {said.means(), said.log_sums()};
      return with_slope(values, slope, hidden);
    }
    if (rows_wanted && !head_wanted) slope = at::empty_like(hidden);
    if (is_kept) *moments = {at::empty_like(hidden), at::empty_like(values)};
    each_chunk(rows, weight, choose, [&](Chunk chunk) {
      const auto of_chunk = [&](const at::Tensor& all) { return all.narrow(0, chunk.first, chunk.size()); };
      of_chunk(values).copy_(chunk.log_probabilities(weight));
      if (slope.defined()) chunk.put_minus_mean(of_chunk(slope), weight);
      if (is_kept) {
        of_chunk(moments->means).copy_(of_chunk(slope)).neg_();
        of_chunk(moments->log_sums).copy_(chunk.softmax.sums.log().add_(chunk.softmax.levels));
      }
      if (slope.defined()) of_chunk(slope).add_(weight.index_select(0, chunk.targets));
      if (head_wanted) kept.push_back(std::move(chunk));
    });
  }
  if (!head_wanted) return with_slope(values, slope, hidden);
  return attach_backward(values, {hidden, head}, [=, kept = std::move(kept)](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    const at::Tensor to_rows = rows_wanted ? at::empty(rows.sizes(), values.options()) : at::Tensor();
    const at::Tensor to_head = at::empty(weight.sizes(), values.options());
    for (const Chunk& chunk : kept) {
      const at::Tensor factors = gradient.narrow(0, chunk.first, chunk.size()).unsqueeze(1);
      if (rows_wanted) {
        const at::Tensor to_chunk = to_rows.narrow(0, chunk.first, chunk.size());
        chunk.put_minus_mean(to_chunk, weight);
        to_chunk.add_(weight.index_select(0, chunk.targets)).mul_(factors);
      }
      chunk.add_head_slope(to_head, factors);
    }
    return std::vector<at::Tensor>{to_rows, to_head.to(weight.scalar_type())};
  });
}

}  // namespace assay::kernel
