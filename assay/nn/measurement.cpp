#include "assay/nn/measurement.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/zeros.h>

#include <map>
#include <optional>
#include <utility>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"
#include "assay/kernel/cross_entropy.h"
#include "assay/nn/head_memory.h"

namespace assay::nn {
namespace {

// What a walk over this batch has left, if any; `places` are b·T + t of the counted positions.
std::optional<HeadMemory::Said> remembered(const Output& output, const data::Batch& batch, const at::Tensor& places) {
  return output.head_memory ? output.head_memory->find(batch, places) : std::nullopt;
}

const at::Tensor& labels_of(const HeadMemory::Said& said, uint64_t seed) {
  return ASSAY_TWIN("nn.remembered_labels_of_the_first_seed") ? said.labels.begin()->second : said.labels.at(seed);
}

at::Tensor counted_rows(const Output& output, const at::Tensor& places) {
  return output.hidden.flatten(0, 1).index_select(0, places);
}

// Values of the counted positions among all: [B,T], zero elsewhere.
at::Tensor placed(const at::Tensor& values, const data::Batch& batch, const at::Tensor& places) {
  const int64_t examples = batch.size(), positions = batch.positions();
  return at::zeros({examples * positions}, values.options().requires_grad(false))
      .index_copy(0, places, values)
      .view({examples, positions});
}

// Log-probabilities of chosen targets [n]; `labels`, by the seeds that they were drawn with, are remembered with what
// the head said, where it is.
at::Tensor chosen_log_probabilities(const Output& output, const data::Batch& batch, const at::Tensor& places,
                                    const kernel::ChooseTargets& choose,
                                    const std::map<uint64_t, at::Tensor>& labels = {}) {
  const at::Tensor rows = counted_rows(output, places);
  if (!output.head.defined()) return kernel::logit_log_probabilities(rows, choose);
  kernel::HeadMoments moments;
  const at::Tensor values =
      kernel::head_log_probabilities(rows, output.head, choose, output.head_memory ? &moments : nullptr);
  if (moments.means.defined()) output.head_memory->keep(batch, places, {std::move(moments), labels});
  return values;
}

at::Tensor counted_places(const data::Batch& batch) {
  const at::Tensor& counted =
      ASSAY_TWIN("nn.padding_is_counted") ? at::Tensor(batch.mask.logical_or(batch.mask.logical_not())) : batch.counted;
  return at::nonzero(counted.flatten()).squeeze(1);
}

void require_categorical(const Output& output, const char* what) {
  if (output.kind != OutputKind::Categorical) {
    throw Error(ErrorKind::Usage,
                std::string("measuring ") + what +
                    ": the model must give probabilities, and this one is a regression; use --measure loss");
  }
}

at::Tensor squared_error(const at::Tensor& prediction, const at::Tensor& target) {
  return prediction.sub(target).square().sum({1, 2}).mul(0.5);
}

// What a label's draw belongs to: the example and the position, not where and when they are computed. Place: b·T + t.
kernel::DrawKey draw_key(const data::Batch& batch, int64_t place) {
  const auto row = static_cast<size_t>(place / batch.positions());
  const auto position = static_cast<uint64_t>(place % batch.positions());
  if (ASSAY_TWIN("nn.labels_keyed_by_row")) return {row, position};
  if (ASSAY_TWIN("nn.labels_keyed_by_place")) return {static_cast<uint64_t>(batch.rows[row]), position};
  if (ASSAY_TWIN("nn.labels_keyed_by_thread")) {  // each thread a stream of its own
    const int64_t share = batch.size() * batch.positions() / at::get_num_threads() + 1;
    return {static_cast<uint64_t>(place / share), static_cast<uint64_t>(place % share)};
  }
  return {batch.ids[row], position};
}

// Of labels drawn from the model; those of the seeds `later` are drawn with them where they can be remembered.
at::Tensor log_probabilities_of_draws(const Output& output, const data::Batch& batch, const at::Tensor& places,
                                      uint64_t seed, const std::vector<uint64_t>& later) {
  std::vector<kernel::DrawKey> keys(static_cast<size_t>(places.numel()));
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = draw_key(batch, places.const_data_ptr<int64_t>()[i]);
  if (!output.head_memory) return chosen_log_probabilities(output, batch, places, kernel::drawn_targets(seed, keys));
  std::map<uint64_t, at::Tensor> labels{{seed, at::empty({places.numel()}, at::kLong)}};
  for (const uint64_t other : later) labels[other] = at::empty({places.numel()}, at::kLong);
  const auto draw_all = [&](const kernel::Shares& shares, int64_t first) {
    for (const auto& [each, drawn] : labels)
      drawn.narrow(0, first, shares.rows()).copy_(shares.draw(each, keys.data() + first));
    return labels.at(seed).narrow(0, first, shares.rows());
  };
  return chosen_log_probabilities(output, batch, places, draw_all, labels);
}

at::Tensor sampled_regression_loss(const Output& output, const data::Batch& batch, uint64_t seed) {
  const int64_t outputs = output.hidden.size(2);
  at::Tensor noise = at::empty({batch.size(), 1, outputs}, at::kDouble);
  for (int64_t b = 0; b < batch.size(); ++b) {
    for (int64_t k = 0; k < outputs; ++k) {
      noise.data_ptr<double>()[b * outputs + k] =
          random_normal(seed, batch.ids[static_cast<size_t>(b)], static_cast<uint64_t>(k));
    }
  }
  return squared_error(output.hidden, output.hidden.detach().add(noise.to(output.hidden.scalar_type())));
}

}  // namespace

at::Tensor token_log_probabilities(const Output& output, const data::Batch& batch) {
  require_categorical(output, "log-probabilities");
  const at::Tensor places = counted_places(batch), targets = batch.targets.flatten().index_select(0, places);
  const auto said = remembered(output, batch, places);
  const at::Tensor values =
      said ? kernel::head_log_probabilities(counted_rows(output, places), output.head, targets, said->moments)
           : chosen_log_probabilities(output, batch, places, kernel::given_targets(targets));
  return placed(values, batch, places);
}

Measurement loss() {
  return {"loss", "nats", "loss summed over the counted tokens", true,
          [](const Output& output, const data::Batch& batch) {
            if (output.kind == OutputKind::Gaussian) return squared_error(output.hidden, batch.values);
            const at::Tensor sum = token_log_probabilities(output, batch).sum(1);
            return ASSAY_TWIN("nn.mean_for_sum") ? sum.neg().div(batch.counted.sum(1)) : sum.neg();
          }};
}

Measurement log_probability() {
  return {"logprob", "nats", "log-probability summed over the completion", false,
          [](const Output& output, const data::Batch& batch) { return token_log_probabilities(output, batch).sum(1); }};
}

Measurement margin() {
  return {"margin", "nats", "margin ln p/(1 − p) summed over the completion", false,
          [](const Output& output, const data::Batch& batch) {
            // At p = 1 to rounding the margin has no finite value; it is held at that of 1 - 1e-7.
            const at::Tensor values = token_log_probabilities(output, batch);
            const at::Tensor rest = values.clamp_max(-1e-7).expm1().neg().log();
            return values.sub(rest).mul(batch.counted).sum(1);
          }};
}

Measurement sampled_label_loss(uint64_t seed, std::vector<uint64_t> later) {
  return {"sampled loss", "nats", "loss on labels drawn from the model", true,
          [seed, later = std::move(later)](const Output& output, const data::Batch& batch) {
            if (output.kind == OutputKind::Gaussian) return sampled_regression_loss(output, batch, seed);
            const at::Tensor places = counted_places(batch);
            const auto said = remembered(output, batch, places);
            const at::Tensor values = said && said->labels.contains(seed)
                                          ? kernel::head_log_probabilities(counted_rows(output, places), output.head,
                                                                           labels_of(*said, seed), said->moments)
                                          : log_probabilities_of_draws(output, batch, places, seed, later);
            return placed(values, batch, places).sum(1).neg();
          }};
}

Measurement measurement_named(const std::string& name) {
  static const std::vector<std::string> names{"logprob", "loss", "margin"};
  if (name == "logprob") return log_probability();
  if (name == "loss") return loss();
  if (name == "margin") return margin();
  throw Error(ErrorKind::Usage, "choosing a measurement: it must be logprob, loss or margin, and \"" + name +
                                    "\" is none of them" + closest_clause(name, names));
}

}  // namespace assay::nn
