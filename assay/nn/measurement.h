// A Measurement: a differentiable number per example, with its sign, unit and reduction. All sums run over the counted
// positions of an example; nothing is ever averaged over tokens, so that padding and batch size cannot leak in.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "assay/data/batch.h"
#include "assay/nn/architecture.h"

namespace assay::nn {

struct Measurement {
  std::string name;             ///< "logprob", "loss", "margin"
  std::string unit;             ///< "nats"
  std::string meaning;          ///< one clause for reports: "log-probability summed over the completion"
  bool less_is_better = false;  ///< true for a loss
  std::function<at::Tensor(const Output&, const data::Batch&)> evaluate;  ///< [B]
};

/// Summed loss: −Σ log p(target) in nats; for regression Σ ½‖prediction − value‖².
Measurement loss();
/// Summed log-probability: −loss().
Measurement log_probability();
/// Σ over counted positions of ln p/(1 − p) of the target.
Measurement margin();
/// The loss on labels drawn from the model's own predictive distribution at temperature 1, keyed (seed, id, position);
/// for regression the label is prediction + N(0,1). What the true Fisher is made of. A model that remembers what its
/// head said draws the labels of the seeds `later` beside these, for the walks that will ask for them.
Measurement sampled_label_loss(uint64_t seed, std::vector<uint64_t> later = {});

/// By its name in options; throws Error(Usage) with near matches.
Measurement measurement_named(const std::string& name);

/// Log-probability of each target: [B,T], zero where not counted. Categorical outputs only.
at::Tensor token_log_probabilities(const Output& output, const data::Batch& batch);

}  // namespace assay::nn
