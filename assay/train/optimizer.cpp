#include "assay/train/optimizer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <array>
#include <map>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/twin.h"

namespace assay::train {
namespace {

constexpr const char* kMomentum = "momentum.";
constexpr const char* kFirstMoment = "first_moment.";
constexpr const char* kSecondMoment = "second_moment.";

}  // namespace

const char* to_string(OptimizerOptions::Kind kind) {
  return kind == OptimizerOptions::Kind::Sgd ? "sgd" : "adamw";
}

OptimizerOptions::Kind optimizer_named(std::string_view name) {
  if (name == "sgd") return OptimizerOptions::Kind::Sgd;
  if (name == "adamw") return OptimizerOptions::Kind::AdamW;
  const std::array<std::string, 2> known = {"sgd", "adamw"};
  throw Error(ErrorKind::Usage, "choosing an optimizer: it must be sgd or adamw, but it is \"" + std::string(name) +
                                    "\"" + closest_clause(name, known));
}

Optimizer::Optimizer(const OptimizerOptions& options, const nn::Parameters& parameters)
    : options_(options), names_(parameters.names()) {
  const bool is_adam = options.kind == OptimizerOptions::Kind::AdamW;
  std::map<double, Group> by_decay;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& tensor = parameters[i];
    const bool is_exempt = tensor.dim() < 2 && !options.vectors_decay && !ASSAY_TWIN("train.vectors_decay");
    Group& group = by_decay[is_exempt ? 0 : options.weight_decay];
    group.places.push_back(i);
    if (is_adam || options.momentum > 0) group.first.push_back(at::zeros_like(tensor.detach()));
    if (is_adam) {
      group.second.push_back(at::zeros_like(tensor.detach()));
      group.steps.push_back(at::full({}, 0, tensor.options().dtype(at::kFloat).requires_grad(false)));
    }
  }
  for (auto& [decay, group] : by_decay) {
    group.weight_decay = decay;
    groups_.push_back(std::move(group));
  }
}

void Optimizer::step(nn::Parameters& parameters, std::span<const at::Tensor> gradients, double rate) {
  ASSAY_ASSERT(parameters.size() == names_.size() && gradients.size() == names_.size());
  const at::NoGradGuard no_gradient;
  ++steps_taken_;
  for (Group& group : groups_) {
    std::vector<at::Tensor> tensors, slopes;
    for (const size_t place : group.places) {
      tensors.push_back(parameters[place]);
      slopes.push_back(gradients[place]);
    }
    if (options_.kind == OptimizerOptions::Kind::Sgd) {
      const double momentum = ASSAY_TWIN("train.momentum_forgotten") ? 0 : options_.momentum;
      const at::TensorList buffers = momentum > 0 ? at::TensorList(group.first) : at::TensorList();
      at::_fused_sgd_(tensors, slopes, buffers, group.weight_decay, momentum, rate, /*dampening=*/0,
                      /*nesterov=*/false, /*maximize=*/false, /*is_first_step=*/steps_taken_ == 1);
      continue;
    }
    // The kernel reads t of the bias correction from these tensors.
    const auto counted = ASSAY_TWIN("train.steps_not_counted") ? 1 : steps_taken_;
    for (at::Tensor& count : group.steps) count.fill_(counted);
    at::_fused_adamw_(tensors, slopes, group.first, group.second, /*max_exp_avg_sqs=*/{}, group.steps, rate,
                      options_.beta1, options_.beta2, group.weight_decay, options_.epsilon, /*amsgrad=*/false,
                      /*maximize=*/false);
  }
}

nn::Parameters Optimizer::state() const {
  const bool is_adam = options_.kind == OptimizerOptions::Kind::AdamW;
  nn::Parameters state;
  for (const Group& group : groups_) {
    for (size_t i = 0; i < group.places.size(); ++i) {
      const std::string& name = names_[group.places[i]];
      if (!group.first.empty()) state.add((is_adam ? kFirstMoment : kMomentum) + name, group.first[i]);
      if (is_adam) state.add(kSecondMoment + name, group.second[i]);
    }
  }
  return state;
}

void Optimizer::restore(const nn::Parameters& state, int64_t steps_taken) {
  std::map<std::string, at::Tensor> saved;
  for (size_t i = 0; i < state.size(); ++i) saved[state.name(i)] = state[i];
  const nn::Parameters mine = this->state();
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorKind::Data,
                "resuming the optimizer: the saved state must be that of this optimizer and model, but " + what +
                    "; train from the start with --force");
  };
  if (saved.size() != mine.size()) {
    refuse("it holds " + std::to_string(saved.size()) + " tensors instead of " + std::to_string(mine.size()));
  }
  for (size_t i = 0; i < mine.size(); ++i) {
    const auto found = saved.find(mine.name(i));
    if (found == saved.end()) refuse("\"" + mine.name(i) + "\" is missing");
    const at::Tensor& tensor = found->second;
    if (tensor.sizes() != mine[i].sizes() || tensor.scalar_type() != mine[i].scalar_type()) {
      refuse("\"" + mine.name(i) + "\" has another shape or type");
    }
  }
  for (size_t i = 0; i < mine.size(); ++i) mine[i].copy_(saved[mine.name(i)]);
  steps_taken_ = steps_taken;
}

double clip_gradients(std::span<at::Tensor> gradients, double limit) {
  const at::NoGradGuard no_gradient;
  const at::TensorList list(gradients.data(), gradients.size());
  const double norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(list))).item<double>();
  if (limit > 0 && norm > limit) {
    at::_foreach_mul_(list, ASSAY_TWIN("train.clips_to_another_norm") ? limit : limit / norm);
  }
  return norm;
}

}  // namespace assay::train
