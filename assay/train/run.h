// A training run in a folder: what `assay train` does. The folder becomes a model in the Hugging Face layout
// (config.json, model.safetensors) with training.json and log.jsonl; checkpoints/ holds what came on the way. The same
// call again goes on where the last whole checkpoint stands and ends in the same bits.
#pragma once

#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "assay/train/checkpoints.h"
#include "assay/train/loop.h"
#include "assay/train/record.h"

namespace assay::train {

struct RunOutcome {
  nn::Model model;
  TrainingRecord record;
  std::vector<StepLog> log;   ///< every step of the run, those before an interruption too
  int64_t resumed_from = 0;   ///< step of the checkpoint that the run went on from; 0: from the start
  bool was_finished = false;  ///< the folder held this very run, finished: nothing was done
};

/// Takes `trainer`, fresh, to its end in `folder`, with checkpoints as its options' checkpoint_every says and one where
/// the user stops it (on_checkpoint is not called). `furnish` may add to each model folder, this one included. Throws
/// Error(Usage) when the folder holds another run.
RunOutcome run_in_folder(Trainer& trainer, const std::string& folder, Progress& progress = silent_progress(),
                         const Furnish& furnish = {});

/// Mean loss of the steps that end in (from, to] epochs, each as StepLog reduces it.
double mean_loss(const std::vector<StepLog>& log, double from, double to);

}  // namespace assay::train
