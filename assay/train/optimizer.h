// Optimizers over the parameters of a model, one fused pass over each tensor.
//
//   SGD     g += decay · p;  m = momentum · m + g (m = g at the first step);  p -= rate · m
//   AdamW   p -= rate · decay · p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g²;
//           p -= rate · (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)
//
// These are PyTorch's definitions (Loshchilov & Hutter, arXiv 1711.05101, for the decoupled decay). Tensors with fewer
// than two dimensions (norms, biases) do not decay unless asked. Same gradients and thread count, same bits.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string_view>
#include <vector>

#include "assay/nn/parameters.h"

namespace assay::train {

struct OptimizerOptions {
  enum class Kind { Sgd, AdamW };

  Kind kind = Kind::AdamW;
  double weight_decay = 0;
  bool vectors_decay = false;  ///< whether norms and biases decay too
  double momentum = 0.9;       ///< SGD
  double beta1 = 0.9;          ///< AdamW
  double beta2 = 0.999;        ///< AdamW
  double epsilon = 1e-8;       ///< AdamW
};

/// "sgd", "adamw".
const char* to_string(OptimizerOptions::Kind kind);
/// Throws Error(Usage) with the nearest names.
OptimizerOptions::Kind optimizer_named(std::string_view name);

class Optimizer {
 public:
  /// State of zeros in the dtype of each tensor.
  Optimizer(const OptimizerOptions& options, const nn::Parameters& parameters);

  /// Moves `parameters` in place. gradients: one a tensor, in the order of the parameters.
  void step(nn::Parameters& parameters, std::span<const at::Tensor> gradients, double rate);

  int64_t steps_taken() const { return steps_taken_; }
  const OptimizerOptions& options() const { return options_; }

  /// What the next step depends on: "momentum.NAME" (none without momentum), or "first_moment.NAME" and
  /// "second_moment.NAME". Shares storage.
  nn::Parameters state() const;
  /// Goes on from a saved state. Throws Error(Data) when names or shapes differ.
  void restore(const nn::Parameters& state, int64_t steps_taken);

 private:
  /// Tensors that share one weight decay, as the fused operators take them.
  struct Group {
    double weight_decay = 0;
    std::vector<size_t> places;  ///< in the parameters
    std::vector<at::Tensor> first, second, steps;
  };

  OptimizerOptions options_;
  std::vector<std::string> names_;
  std::vector<Group> groups_;
  int64_t steps_taken_ = 0;
};

/// The norm of all gradients together; scales them in place so that it is at most `limit` (0: no limit).
double clip_gradients(std::span<at::Tensor> gradients, double limit);

}  // namespace assay::train
