#include "assay/train/loop.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/nn/measurement.h"
#include "assay/train/order.h"

namespace assay::train {
namespace {

nn::Model trainable_copy(const nn::Model& start) {
  nn::Parameters parameters = start.parameters().clone();
  parameters.require_gradients(true);
  return start.with(std::move(parameters));
}

void check(const TrainOptions& options) {
  const auto refuse = [](const std::string& rule) { throw Error(ErrorKind::Usage, "setting up training: " + rule); };
  const Schedule& schedule = options.schedule;
  if (options.epochs < 1 && options.steps < 1) refuse("epochs or steps must be at least 1, but neither is; give one");
  if (options.batch_size < 0)
    refuse("the batch size must not be negative, but it is " + std::to_string(options.batch_size) +
           "; 0 takes all examples");
  if (!(schedule.rate >= 0) || !std::isfinite(schedule.rate)) {
    refuse("the learning rate must be a finite number of at least 0, but it is " + std::to_string(schedule.rate) +
           "; choose another");
  }
  if (!(schedule.final_fraction >= 0 && schedule.final_fraction <= 1)) {
    refuse("the final fraction of the rate must lie in [0, 1], but it is " + std::to_string(schedule.final_fraction) +
           "; choose another");
  }
}

/// Gradients of `total` by the parameters; zero where nothing depends on one.
std::vector<at::Tensor> gradients_of(const at::Tensor& total, const nn::Parameters& parameters) {
  std::vector<at::Tensor> gradients(parameters.size());
  if (total.requires_grad()) {
    gradients = torch::autograd::grad({total}, parameters.tensors(), /*grad_outputs=*/{}, /*retain_graph=*/false,
                                      /*create_graph=*/false, /*allow_unused=*/true);
  }
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(parameters[i].detach());
  }
  return gradients;
}

}  // namespace

Penalty squared_distance(nn::Parameters reference, double coefficient) {
  std::string identity = Hasher().add(coefficient).add(reference.hash()).digest128();
  const auto value = [reference = std::move(reference), coefficient](const nn::Parameters& parameters) {
    ASSAY_ASSERT(parameters.size() == reference.size());
    at::Tensor sum = at::zeros({}, reference[0].options());
    for (size_t i = 0; i < parameters.size(); ++i) {
      sum = sum.add(parameters[i].sub(reference[i]).square().sum());
    }
    return sum.mul(0.5 * coefficient);
  };
  return {"squared_distance", value, std::move(identity)};
}

Trainer::Trainer(const nn::Model& start, const data::Dataset& dataset, TrainOptions options)
    : dataset_(dataset),
      options_(std::move(options)),
      model_(trainable_copy(start)),
      optimizer_(options_.optimizer, model_.parameters()) {
  check(options_);
  const auto examples = static_cast<int64_t>(epoch_order(dataset, options_.leave_out, options_.seed, 0).size());
  if (examples == 0) {
    throw Error(ErrorKind::Data, "setting up training: at least one example must be left to train on, but of " +
                                     std::to_string(dataset.size()) + " none is; leave fewer out");
  }
  batch_size_ = options_.batch_size > 0 ? options_.batch_size : examples;
  steps_per_epoch_ = train::steps_per_epoch(examples, batch_size_);
  total_steps_ = options_.steps > 0 ? options_.steps : options_.epochs * steps_per_epoch_;
}

data::Batch Trainer::next_batch() {
  const int64_t epoch = step_ / steps_per_epoch_;
  if (epoch != ordered_epoch_) {
    order_ = epoch_order(dataset_, options_.leave_out, options_.seed, epoch);
    ordered_epoch_ = epoch;
  }
  const auto begin = static_cast<size_t>((step_ % steps_per_epoch_) * batch_size_);
  const size_t count = std::min(static_cast<size_t>(batch_size_), order_.size() - begin);
  return data::make_batch(dataset_, std::span(order_).subspan(begin, count), model_.dtype());
}

StepLog Trainer::advance() {
  ASSAY_ASSERT(!is_done());
  const at::AutoGradMode with_gradient(true);
  const data::Batch batch = next_batch();
  const nn::Parameters& parameters = model_.parameters();

  StepLog log{.step = step_, .rate = rate_at(options_.schedule, step_, total_steps_), .examples = batch.size()};
  log.epoch = static_cast<double>(step_ + 1) / static_cast<double>(steps_per_epoch_);
  log.tokens = batch.counted.sum().item<int64_t>();

  const nn::Run run = model_.run(batch, options_.taps ? options_.taps(batch) : nn::Taps{});
  const bool by_token = options_.reduction == Reduction::MeanOverTokens;
  const auto divisor = static_cast<double>(std::max<int64_t>(1, by_token ? log.tokens : log.examples));
  const at::Tensor loss = nn::loss().evaluate(run.output, batch).sum().div(divisor);
  at::Tensor total = loss;
  for (const Penalty& penalty : options_.penalties) {
    const at::Tensor value = penalty.value(parameters);
    log.penalty += value.item<double>();
    if (!ASSAY_TWIN("train.penalty_without_gradient")) total = total.add(value);
  }
  log.loss = loss.item<double>();

  std::vector<at::Tensor> gradients = gradients_of(total, parameters);
  log.gradient_norm = clip_gradients(gradients, options_.clip_norm);
  if (!std::isfinite(log.loss) || !std::isfinite(log.gradient_norm)) {
    throw Error(ErrorKind::Numeric, "training, step " + std::to_string(step_) +
                                        ": loss and gradient must be finite, but the loss is " +
                                        std::to_string(log.loss) + " and the gradient's norm " +
                                        std::to_string(log.gradient_norm) + "; lower the learning rate or clip");
  }
  optimizer_.step(model_.parameters(), gradients, log.rate);
  ++step_;
  return log;
}

void Trainer::restore(const nn::Parameters& parameters, const nn::Parameters& optimizer_state, int64_t step) {
  ASSAY_ASSERT(0 <= step && step <= total_steps_);
  ASSAY_ASSERT(parameters.names() == model_.parameters().names());
  optimizer_.restore(optimizer_state, step);
  const at::NoGradGuard no_gradient;
  for (size_t i = 0; i < parameters.size(); ++i) model_.parameters()[i].copy_(parameters[i]);
  step_ = ASSAY_TWIN("train.resume_repeats_a_step") ? std::max<int64_t>(0, step - 1) : step;
}

TrainResult train(const nn::Model& start, const data::Dataset& dataset, const TrainOptions& options,
                  Progress& progress) {
  Trainer trainer(start, dataset, options);
  TrainResult result;
  progress.begin("training", trainer.total_steps(), "steps");
  while (!trainer.is_done()) {
    result.log.push_back(trainer.advance());
    if (options.checkpoint_every > 0 && options.on_checkpoint && trainer.step() % options.checkpoint_every == 0) {
      options.on_checkpoint(trainer);
    }
    progress.advance(1);
  }
  progress.end();
  nn::Parameters trained = trainer.model().parameters();
  trained.require_gradients(false);
  result.model = start.with(std::move(trained));
  return result;
}

}  // namespace assay::train
