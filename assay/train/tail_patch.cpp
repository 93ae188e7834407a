#include "assay/train/tail_patch.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/ScalarType.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/math/bootstrap.h"
#include "assay/math/summary.h"
#include "assay/nn/gradients.h"
#include "assay/train/step_search.h"

namespace assay::train {
namespace {

using Tensors = std::vector<at::Tensor>;

/// The value of a measurement on one example, and its gradient by all parameters.
struct Slope {
  double value = 0;
  Tensors gradient;
};

/// The model's weights as leaves of their own. They share its storage, but for the matrices of a model of bf16: a step
/// that moves the loss a little is lost in 8 bits, so that those are widened to float32.
nn::Model as_leaves(const nn::Model& model) {
  nn::Parameters leaves;
  const nn::Parameters& parameters = model.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    leaves.add(parameters.name(i), parameters[i].detach().to(model.dtype()));
  }
  leaves.require_gradients(true);
  return model.with(std::move(leaves));
}

Slope differentiate(const nn::Model& leaves, const data::Batch& batch, const nn::Measurement& measurement) {
  const at::AutoGradMode with_gradient(true);
  const at::Tensor value = measurement.evaluate(leaves.run(batch).output, batch).sum();
  Slope slope{value.item<double>(), torch::autograd::grad({value}, leaves.parameters().tensors(), /*grad_outputs=*/{},
                                                          /*retain_graph=*/false, /*create_graph=*/false,
                                                          /*allow_unused=*/true)};
  for (size_t i = 0; i < slope.gradient.size(); ++i) {
    if (!slope.gradient[i].defined()) slope.gradient[i] = at::zeros_like(leaves.parameters()[i].detach());
  }
  return slope;
}

double dot(const Tensors& left, const Tensors& right) {
  double sum = 0;
  for (size_t i = 0; i < left.size(); ++i) sum += at::dot(left[i].flatten(), right[i].flatten()).item<double>();
  return sum;
}

/// θ and a second set of weights θ' beside it, so that θ is never written to.
class Patch {
 public:
  explicit Patch(const nn::Model& model) : model_(model) {
    nn::Parameters copies;
    const nn::Parameters& parameters = model.parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      const bool in_place = ASSAY_TWIN("train.tail_patch_in_place");
      copies.add(parameters.name(i), in_place ? parameters[i].detach() : at::empty_like(parameters[i].detach()));
    }
    patched_ = model.with(std::move(copies));
  }

  /// θ' = θ - step · direction.
  const nn::Model& at(const Tensors& direction, double step) {
    const at::NoGradGuard no_gradient;
    for (size_t i = 0; i < direction.size(); ++i) {
      at::Tensor target = patched_.parameters()[i];
      at::sub_out(target, model_.parameters()[i].detach(), direction[i], step);
    }
    return patched_;
  }

 private:
  const nn::Model& model_;
  nn::Model patched_;
};

/// What the search found for one document; shared by all queries.
struct Step {
  double size = 0;
  double own_fall = 0;
  bool reached = false;
};

class TailPatcher {
 public:
  TailPatcher(const nn::Model& model, const data::Dataset& documents, const data::Dataset& queries,
              const nn::Measurement& measurement, const TailPatchOptions& options)
      : leaves_(as_leaves(model)),
        patch_(leaves_),
        documents_(documents),
        queries_(queries),
        measurement_(measurement),
        options_(options) {}

  /// Steps on every document that a query of [begin, end) asks for.
  void run(std::span<const TailPatchRequest> requests, size_t begin, size_t end, Progress& progress);

  /// Nothing where the document was skipped.
  std::optional<TailPatchDocument> outcome(size_t query, int64_t row) const {
    const auto found = outcomes_.find({query, row});
    return found == outcomes_.end() ? std::nullopt : std::optional(found->second);
  }

  TailPatchResult tally;

 private:
  const Step& step_on(int64_t row, const Slope& document, const data::Batch& batch);
  void measure(std::span<const size_t> askers, int64_t row, const Slope& document, const Step& step);
  data::Batch query_batch(std::span<const int64_t> rows) const {
    return data::make_batch(queries_, rows, leaves_.dtype());
  }

  nn::Model leaves_;
  Patch patch_;
  const data::Dataset& documents_;
  const data::Dataset& queries_;
  const nn::Measurement& measurement_;
  const TailPatchOptions& options_;
  std::map<size_t, Slope> slopes_;  // of the queries in flight
  std::map<int64_t, Step> steps_;
  std::map<std::pair<size_t, int64_t>, TailPatchDocument> outcomes_;
};

int64_t counted(const data::Batch& batch) {
  return batch.counted.sum().item<int64_t>();
}

void TailPatcher::run(std::span<const TailPatchRequest> requests, size_t begin, size_t end, Progress& progress) {
  slopes_.clear();
  std::map<int64_t, std::vector<size_t>> askers;  // by document
  for (size_t q = begin; q < end; ++q) {
    const std::vector<int64_t> row = {static_cast<int64_t>(q)};
    slopes_[q] = differentiate(leaves_, query_batch(row), measurement_);
    for (const auto* rows : {&requests[q].top, &requests[q].random}) {
      for (const int64_t document : *rows) {
        std::vector<size_t>& list = askers[document];
        if (list.empty() || list.back() != q) list.push_back(q);
      }
    }
  }
  progress.begin("tail-patch", static_cast<int64_t>(askers.size()), "documents");
  for (const auto& [row, list] : askers) {
    const std::vector<int64_t> rows = {row};
    const data::Batch batch = data::make_batch(documents_, rows, leaves_.dtype());
    if (counted(batch) > 0) {
      const Slope document = differentiate(leaves_, batch, nn::loss());
      ++tally.gradients;
      measure(list, row, document, step_on(row, document, batch));
    }
    progress.advance(1);
  }
  progress.end();
}

const Step& TailPatcher::step_on(int64_t row, const Slope& document, const data::Batch& batch) {
  const auto known = steps_.find(row);
  if (known != steps_.end()) return known->second;
  const auto tokens = static_cast<double>(counted(batch));
  const double slope = dot(document.gradient, document.gradient) / tokens;
  if (!std::isfinite(slope)) {
    throw Error(ErrorKind::Numeric, "tail-patch: the gradient of training document " + std::to_string(row) +
                                        " must be finite, and it is not; check the model with assay evaluate");
  }
  Step step;
  // A loss cannot fall by more than there is of it: a document known by heart gets half of what it has left.
  const double feasible = 0.5 * document.value / tokens;
  if (slope > 0 && feasible > 0) {
    const auto fall = [&](double size) {
      ++tally.search_passes;
      const at::Tensor after = nn::evaluate(patch_.at(document.gradient, size), batch, nn::loss());
      return (document.value - after.sum().item<double>()) / tokens;
    };
    const StepSearchResult found = search_step(fall, slope,
                                               {.target = std::min(options_.own_fall, feasible),
                                                .tolerance = options_.tolerance,
                                                .max_evaluations = options_.max_evaluations});
    step = {found.step, found.rise, found.reached && options_.own_fall <= feasible};
  }
  if (!step.reached) ++tally.unreached;
  return steps_[row] = step;
}

void TailPatcher::measure(std::span<const size_t> askers, int64_t row, const Slope& document, const Step& step) {
  const std::vector<int64_t> rows(askers.begin(), askers.end());
  const at::Tensor after =
      nn::evaluate(patch_.at(document.gradient, step.size), query_batch(rows), measurement_).to(at::kDouble);
  // As for scores, positive helps: what lowers a loss counts as a rise.
  const double helps = measurement_.less_is_better && !ASSAY_TWIN("train.tail_patch_loss_not_turned") ? -1 : 1;
  for (size_t i = 0; i < askers.size(); ++i) {
    const Slope& query = slopes_.at(askers[i]);
    const double change = helps * (after[static_cast<int64_t>(i)].item<double>() - query.value);
    outcomes_[{askers[i], row}] = {.row = row,
                                   .predicted = -helps * step.size * dot(query.gradient, document.gradient),
                                   .measured = ASSAY_TWIN("train.tail_patch_wrong_sign") ? -change : change,
                                   .own_fall = step.own_fall,
                                   .step = step.size,
                                   .reached = step.reached};
  }
}

std::vector<double> measured(const std::vector<TailPatchDocument>& documents) {
  std::vector<double> values;
  for (const TailPatchDocument& document : documents) values.push_back(document.measured);
  return values;
}

void compare(TailPatchComparison& comparison, const TailPatchOptions& options) {
  const std::vector<double> top = measured(comparison.top), random = measured(comparison.random);
  comparison.top_mean = math::mean(top);
  comparison.random_mean = math::mean(random);
  comparison.difference = comparison.top_mean - comparison.random_mean;
  comparison.welch_t = math::welch_t(top, random).t;
  const math::Interval interval = math::bootstrap_difference(
      top, random, {.level = options.level, .resamples = options.resamples, .seed = options.seed});
  comparison.low = interval.low;
  comparison.high = interval.high;
}

}  // namespace

int64_t queries_in_flight(const nn::Model& model, int64_t memory_bytes) {
  const int64_t gradient_bytes = model.parameters().count() * static_cast<int64_t>(c10::elementSize(model.dtype()));
  return std::max<int64_t>(1, memory_bytes / std::max<int64_t>(1, gradient_bytes));
}

TailPatchResult tail_patch(const nn::Model& model, const data::Dataset& documents, const data::Dataset& queries,
                           std::span<const TailPatchRequest> requests, const nn::Measurement& measurement,
                           const TailPatchOptions& options, Progress& progress) {
  ASSAY_ASSERT(static_cast<int64_t>(requests.size()) == queries.size());
  const std::string hash = model.parameters().hash();
  TailPatcher patcher(model, documents, queries, measurement, options);

  const auto in_flight = static_cast<size_t>(queries_in_flight(model, options.memory_bytes));
  for (size_t begin = 0; begin < requests.size(); begin += in_flight) {
    patcher.run(requests, begin, std::min(requests.size(), begin + in_flight), progress);
  }

  TailPatchResult result = patcher.tally;
  std::set<int64_t> skipped;
  for (size_t q = 0; q < requests.size(); ++q) {
    TailPatchComparison comparison;
    const auto collect = [&](const std::vector<int64_t>& rows, std::vector<TailPatchDocument>& into) {
      for (const int64_t row : rows) {
        if (const auto outcome = patcher.outcome(q, row)) {
          into.push_back(*outcome);
        } else {
          skipped.insert(row);
        }
      }
    };
    collect(requests[q].top, comparison.top);
    collect(requests[q].random, comparison.random);
    compare(comparison, options);
    result.queries.push_back(std::move(comparison));
  }
  result.skipped = static_cast<int64_t>(skipped.size());
  result.parameters_hash = model.parameters().hash();
  ASSAY_ASSERT(result.parameters_hash == hash);
  return result;
}

}  // namespace assay::train
