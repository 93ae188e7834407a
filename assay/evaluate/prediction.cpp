#include "assay/evaluate/prediction.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/core/twin.h"
#include "assay/curvature/resumable_pass.h"
#include "assay/data/batch.h"
#include "assay/data/batches.h"
#include "assay/nn/measurement.h"

namespace assay::evaluate {

double Prediction::total_loss() const {
  return std::accumulate(losses.begin(), losses.end(), 0.0);
}

int64_t Prediction::total_targets() const {
  return std::accumulate(targets.begin(), targets.end(), int64_t{0});
}

double Prediction::loss_per_target() const {
  if (total_targets() == 0) return std::numeric_limits<double>::quiet_NaN();
  if (ASSAY_TWIN("evaluate.mean_over_documents")) {
    double sum = 0;
    for (size_t i = 0; i < losses.size(); ++i) sum += losses[i] / static_cast<double>(targets[i]);
    return sum / static_cast<double>(losses.size());
  }
  return total_loss() / static_cast<double>(total_targets());
}

double Prediction::perplexity() const {
  return std::exp(loss_per_target());
}

void require_finite(const Prediction& prediction) {
  const auto is_wrong = [](double loss) { return !std::isfinite(loss); };
  const std::vector<double>& losses = prediction.losses;
  const auto first = std::find_if(losses.begin(), losses.end(), is_wrong);
  if (first == losses.end() || ASSAY_TWIN("evaluate.losses_not_finite")) return;
  throw Error(ErrorKind::Numeric,
              fmt::format("evaluating: every loss must be finite, but {} of {} are not, the first that of example {} "
                          "(counted from 0); try --dtype fp64, which has the wider range, or another checkpoint",
                          std::count_if(first, losses.end(), is_wrong), losses.size(), first - losses.begin()));
}

Cost prediction_cost(const nn::Model& model, const data::Dataset& dataset) {
  constexpr int64_t kCallsPerBlock = 40;  // operators that a block of a family runs, norms and attention included
  const nn::Architecture& architecture = model.architecture();
  const nn::Facts facts = architecture.facts();
  int64_t weights = facts.width * facts.vocabulary * (facts.features == 0 ? 1 : 0);  // the head of a text model
  for (const nn::Layer& layer : architecture.layers())
    weights += model.parameters()[static_cast<size_t>(layer.weight)].numel();

  const int64_t number_bytes = model.dtype() == at::kDouble ? 8 : 4;
  const int64_t numbers_per_position = 10 * (facts.width + facts.mlp_width);
  Cost cost;
  for (const std::vector<int64_t>& rows : data::plan_batches(dataset)) {
    int64_t longest = 1;
    for (const int64_t row : rows) {
      longest = std::max(longest, static_cast<int64_t>(dataset.examples[static_cast<size_t>(row)].tokens.size()) - 1);
    }
    const int64_t positions = longest * static_cast<int64_t>(rows.size());
    const double attention = 4.0 * static_cast<double>(longest * facts.width * facts.blocks);
    const double flops = static_cast<double>(positions) * (2.0 * static_cast<double>(weights) + attention);
    nn::products_of(model, cost) += flops;
    cost.bytes_moved +=
        static_cast<double>(positions * number_bytes * (3 * facts.vocabulary + 30 * facts.width * facts.blocks));
    cost.operator_calls += static_cast<double>(kCallsPerBlock * facts.blocks);
    cost.peak_bytes = std::max(cost.peak_bytes, positions * number_bytes * numbers_per_position);
  }
  constexpr int64_t kLogitBytes = 60'000'000;  // the head works by chunks of 16 MiB, of which three are alive at once
  cost.peak_bytes += resident_bytes() + kLogitBytes;  // the weights and LibTorch are there already
  return cost;
}

Prediction predict(const nn::Model& model, const data::Dataset& dataset, curvature::Workspace& workspace,
                   Progress& progress) {
  const at::NoGradGuard no_history;
  const nn::Measurement loss = nn::loss();
  const int64_t examples = dataset.size();
  const at::Tensor losses = at::zeros({examples}, at::kDouble), targets = at::zeros({examples}, at::kLong);
  const at::Tensor correct = at::zeros({1}, at::kLong);
  curvature::Pass pass{"evaluate", "partial.predictions", {{"losses", losses}, {"targets", targets}}};
  if (!ASSAY_TWIN("evaluate.forgets_the_correct")) pass.state["correct"] = correct;
  nn::BatchesInFlight one_by_one;
  const auto add_batch = [&](std::span<const int64_t> rows, nn::BatchesInFlight::Turn&) {
    const data::Batch batch = data::make_batch(dataset, rows, model.dtype());
    const nn::Output output = model.run(batch).output;
    const at::Tensor places = at::tensor(at::IntArrayRef(rows.data(), rows.size()), at::kLong);
    losses.index_copy_(0, places, loss.evaluate(output, batch).to(at::kDouble));
    targets.index_copy_(0, places, batch.counted.sum(1));
    if (!batch.is_text() && output.kind == nn::OutputKind::Categorical)
      correct.add_(output.logits().argmax(-1).eq(batch.targets).sum());
  };
  curvature::walk(pass, dataset, data::plan_batches(dataset), workspace, progress, one_by_one, add_batch);
  const double* loss_of = losses.const_data_ptr<double>();
  const int64_t* targets_of = targets.const_data_ptr<int64_t>();
  return {.losses = {loss_of, loss_of + examples},
          .targets = {targets_of, targets_of + examples},
          .correct = correct.item<int64_t>()};
}

Prediction predict(const nn::Model& model, const data::Dataset& dataset, Progress& progress) {
  curvature::Workspace nothing_kept;
  return predict(model, dataset, nothing_kept, progress);
}

}  // namespace assay::evaluate
