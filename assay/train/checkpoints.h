// Checkpoints on the way: RUN/checkpoints/step-N/ holds the model in the Hugging Face layout, the optimizer's state and
// training.json, so that every checkpoint is a model folder of its own. A checkpoint is written beside its place and
// renamed into it: killed at any moment, a run finds the last whole one and goes on bit for bit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "assay/train/loop.h"
#include "assay/train/record.h"

namespace assay::train {

/// One checkpoint of a run on disk.
struct SavedStep {
  int64_t step = 0;
  std::string folder;
};

/// Checkpoints in RUN/checkpoints, by step. Half-written ones are not among them.
std::vector<SavedStep> saved_steps(const std::string& run_folder);

/// Writes into a model folder what a model needs beside its weights: its tokenizer.
using Furnish = std::function<void(const std::string& folder)>;

/// Writes RUN/checkpoints/step-N for the trainer as it stands. `run` names the run in its record.
void save_step(const Trainer& trainer, const std::string& run_folder, const std::string& run,
               const Furnish& furnish = {});

/// Takes up the newest checkpoint that is whole; a damaged one is passed over with a note. Returns its step, 0 where
/// there is none. Throws Error(Usage) when the folder holds checkpoints of another run.
int64_t resume(Trainer& trainer, const std::string& run_folder, const std::string& run,
               Progress& progress = silent_progress());

/// What names a run: a hash over the starting weights, the examples trained on, the options and the version. Penalties
/// and taps are functions and cannot be hashed: penalties enter by name, taps not at all.
std::string run_identity(const Trainer& trainer);

}  // namespace assay::train
