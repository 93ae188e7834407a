#include "assay/kernel/cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <vector>

#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/head_softmax.h"
#include "assay/kernel/products.h"

namespace assay::kernel {
namespace {

constexpr int64_t kChunkBytes = int64_t{64} << 20;  // of exponentials at a time: some hundred rows of any vocabulary
constexpr double kLeastShare = 1e-30;               // an exponential below it may be one that was cut off
constexpr int64_t kPiece = 512;                     // classes whose sum is taken at once

template <typename Number>
double sum_of(const Number* numbers, int64_t count) {
  constexpr int64_t kSums = 8;  // so that none waits for the one before it
  double sums[kSums] = {};
  int64_t v = 0;
  for (; v + kSums <= count; v += kSums) {
    for (int64_t i = 0; i < kSums; ++i) sums[i] += static_cast<double>(numbers[v + i]);
  }
  for (; v < count; ++v) sums[0] += static_cast<double>(numbers[v]);
  return std::accumulate(std::begin(sums), std::end(sums), 0.0);
}

/// The first class at which the cumulative sum passes `uniform` of the whole; the piece is found first.
template <typename Number>
int64_t invert_cumulative(const Number* shares, int64_t classes, double uniform, std::vector<double>& pieces) {
  pieces.clear();
  for (int64_t first = 0; first < classes; first += kPiece)
    pieces.push_back(sum_of(shares + first, std::min(kPiece, classes - first)));
  if (ASSAY_TWIN("kernel.drawn_from_the_first_piece")) pieces.resize(1);
  const double level = uniform * std::accumulate(pieces.begin(), pieces.end(), 0.0);
  double sum = 0;
  int64_t first = 0, last = 0;
  for (size_t i = 0; i + 1 < pieces.size() && sum + pieces[i] <= level; ++i, first += kPiece) sum += pieces[i];
  for (int64_t v = first; v < classes; ++v) {
    if (!(shares[v] > Number{0})) continue;
    sum += static_cast<double>(shares[v]);
    last = v;
    if (sum > level) break;
  }
  return last;
}

template <typename Number>
void draw_rows(const at::Tensor& shares, uint64_t seed, const DrawKey* keys, int64_t* targets) {
  const int64_t rows = shares.size(0), classes = shares.size(1);
  const Number* data = shares.const_data_ptr<Number>();
  at::parallel_for(0, rows, 8, [&](int64_t begin, int64_t end) {
    std::vector<double> pieces;
    for (int64_t row = begin; row < end; ++row) {
      targets[row] = invert_cumulative(data + row * classes, classes,
                                       random_uniform(seed, keys[row].stream, keys[row].index), pieces);
    }
  });
}

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
  /// to_head [V,D] += Σ_n factors[n] d(log p_n[target]) / d(head).
  void add_head_slope(const at::Tensor& to_head, const at::Tensor& factors) const {
    const at::Tensor scaled = rows.to(to_head.scalar_type()).mul(factors);
    add_product(to_head, softmax.exponentials.t(), scaled.div(divisors()));
    if (!ASSAY_TWIN("kernel.head_slope_without_targets")) to_head.index_add_(0, targets, scaled);
  }
};

template <class Work>
void each_chunk(const at::Tensor& rows, const at::Tensor& head, const ChooseTargets& choose, const Work& work) {
  const auto row_bytes = head.size(0) * static_cast<int64_t>(head.element_size());
  const int64_t count = rows.size(0), most = std::max<int64_t>(1, kChunkBytes / row_bytes);
  for (int64_t first = 0; first < count; first += most) {
    Chunk chunk{first, rows.narrow(0, first, std::min(most, count - first)), {}, {}};
    chunk.softmax = head_softmax(chunk.rows, head);
    chunk.targets = choose(chunk.softmax.exponentials, first);
    work(std::move(chunk));
  }
}

}  // namespace

ChooseTargets given_targets(at::Tensor targets) {
  return [targets = std::move(targets)](const at::Tensor& probabilities, int64_t first_row) {
    return targets.narrow(0, first_row, probabilities.size(0));
  };
}

ChooseTargets drawn_targets(uint64_t seed, std::vector<DrawKey> keys) {
  return [seed, keys = std::move(keys)](const at::Tensor& given, int64_t first_row) {
    at::Tensor targets = at::empty({given.size(0)}, at::kLong);
    const at::Tensor shares = given.contiguous();
    const auto draw = shares.scalar_type() == at::kDouble     ? draw_rows<double>
                      : shares.scalar_type() == at::kBFloat16 ? draw_rows<at::BFloat16>
                                                              : draw_rows<float>;
    draw(shares, seed, keys.data() + first_row, targets.data_ptr<int64_t>());
    return targets;
  };
}

at::Tensor logit_log_probabilities(const at::Tensor& logits, const ChooseTargets& choose) {
  const at::Tensor log_probabilities = at::log_softmax(logits, 1);
  const at::Tensor targets = choose(log_probabilities.detach().exp(), 0);
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
  const at::AutoGradMode with_history(true);
  return attach_backward(values, {hidden}, [slope](const at::Tensor& gradient) {
    return std::vector<at::Tensor>{slope.mul(gradient.unsqueeze(1))};
  });
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
    if (rows_wanted && !head_wanted) slope = at::empty_like(hidden);
    const bool is_kept = moments != nullptr && slope.defined();
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
  if (!head_wanted) {
    return attach_backward(values, {hidden}, [slope](const at::Tensor& gradient) {
      return std::vector<at::Tensor>{slope.mul(gradient.unsqueeze(1))};
    });
  }
  return attach_backward(values, {hidden, head}, [=, kept = std::move(kept)](const at::Tensor& gradient) {
    const at::NoGradGuard no_history;
    const at::Tensor to_rows = rows_wanted ? at::empty(rows.sizes(), values.options()) : at::Tensor();
    const at::Tensor to_head = at::zeros(weight.sizes(), values.options());
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
