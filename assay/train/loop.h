// Training: minimises the mean loss of batches plus penalties on the parameters, by gradient steps.
//
// What a step minimises is exactly Σ_i ℓ_i / Σ_i (counted tokens of i) over its batch, or Σ_i ℓ_i / (examples in the
// batch), with ℓ_i the loss summed over the counted tokens of example i (½‖error‖² for regression); a smaller last
// batch of an epoch is a whole step. Same start, data, seed and thread count give the same bits. A step costs a
// forward, a backward with weight gradients, and three passes over the parameters; small models are bound by operator
// calls.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "assay/core/progress.h"
#include "assay/data/batch.h"
#include "assay/nn/model.h"
#include "assay/nn/taps.h"
#include "assay/train/optimizer.h"
#include "assay/train/schedule.h"

namespace assay::train {

enum class Reduction { MeanOverTokens, MeanOverExamples };

/// A differentiable number of the parameters alone, added to the loss of every step.
struct Penalty {
  std::string name;
  std::function<at::Tensor(const nn::Parameters&)> value;  ///< a scalar
  std::string identity = {};  ///< of everything that decides the value: a run goes on only under the same
};

/// ½ · coefficient · ‖θ - reference‖² over all parameters.
Penalty squared_distance(nn::Parameters reference, double coefficient);

class Trainer;

struct TrainOptions {
  OptimizerOptions optimizer = {};
  Schedule schedule = {};
  int64_t epochs = 1;
  int64_t steps = 0;        ///< in place of epochs when positive
  int64_t batch_size = 32;  ///< examples; 0: all of them
  double clip_norm = 0;     ///< largest norm of the whole gradient; 0: no limit
  uint64_t seed = 0;        ///< decides the order of examples
  Reduction reduction = Reduction::MeanOverTokens;
  std::unordered_set<data::ExampleId> leave_out = {};  ///< examples not trained on; the order of the rest stays
  std::vector<Penalty> penalties = {};
  std::function<nn::Taps(const data::Batch&)> taps = {};  ///< what is done inside the network for a batch; may be empty
  int64_t checkpoint_every = 0;                           ///< steps; 0: never
  std::function<void(const Trainer&)> on_checkpoint = {};
};

/// One step as it went.
struct StepLog {
  int64_t step = 0;          ///< 0-based
  double epoch = 0;          ///< epochs finished after this step
  double loss = 0;           ///< of the batch before the step, reduced as the options say, in nats, without penalties
  double penalty = 0;        ///< sum of the penalties before the step
  double rate = 0;           ///< learning rate used
  double gradient_norm = 0;  ///< before clipping
  int64_t examples = 0;
  int64_t tokens = 0;  ///< counted positions
};

/// A run of training that can be driven step by step, saved and taken up again.
class Trainer {
 public:
  /// Trains a copy of `start`, in its dtype. `dataset` must outlive the trainer. Throws Error(Usage) on options that
  /// make no sense and Error(Data) when nothing is left to train on.
  Trainer(const nn::Model& start, const data::Dataset& dataset, TrainOptions options);
  Trainer(const nn::Model& start, data::Dataset&& dataset, TrainOptions options) = delete;

  int64_t step() const { return step_; }  ///< steps taken
  int64_t total_steps() const { return total_steps_; }
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  bool is_done() const { return step_ == total_steps_; }

  /// Takes one step. Throws Error(Numeric) when loss or gradient are not finite; parameters stay as they were.
  StepLog advance();

  /// The model as it is now: its weights change with every step. Clone the parameters to keep them.
  const nn::Model& model() const { return model_; }
  const Optimizer& optimizer() const { return optimizer_; }
  const TrainOptions& options() const { return options_; }
  const data::Dataset& dataset() const { return dataset_; }

  /// Goes on after `step` steps from weights and optimizer state saved then: the bits are those of an uninterrupted
  /// run.
  void restore(const nn::Parameters& parameters, const nn::Parameters& optimizer_state, int64_t step);

 private:
  data::Batch next_batch();

  const data::Dataset& dataset_;
  TrainOptions options_;
  nn::Model model_;
  Optimizer optimizer_;
  int64_t batch_size_ = 0;
  int64_t steps_per_epoch_ = 0;
  int64_t total_steps_ = 0;
  int64_t step_ = 0;
  int64_t ordered_epoch_ = -1;  ///< the epoch that order_ is for
  std::vector<int64_t> order_;
};

struct TrainResult {
  nn::Model model;
  std::vector<StepLog> log;
};

/// Runs to the end. Interruption (Error(Interrupted) from `progress`) comes between steps.
TrainResult train(const nn::Model& start, const data::Dataset& dataset, const TrainOptions& options,
                  Progress& progress = silent_progress());

}  // namespace assay::train
