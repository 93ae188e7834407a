// What a training run says about itself beside its weights (training.json): enough for `attribute` to know that a
// corpus is the training set, and for methods that unroll training to know step, rate and schedule of a checkpoint.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "assay/train/loop.h"

namespace assay::train {

struct TrainingRecord {
  int64_t step = 0;  ///< steps taken
  int64_t total_steps = 0;
  int64_t steps_per_epoch = 0;
  double rate = 0;  ///< learning rate of the last step taken; 0 before the first
  OptimizerOptions optimizer = {};
  Schedule schedule = {};
  int64_t batch_size = 0;
  double clip_norm = 0;
  uint64_t seed = 0;
  Reduction reduction = Reduction::MeanOverTokens;
  std::string corpus_hash = {};      ///< Dataset::content_hash() of the examples trained on, in the order of the corpus
  int64_t examples = 0;              ///< trained on
  int64_t left_out = 0;              ///< of the corpus, not trained on
  std::string parameters_hash = {};  ///< of the weights beside this record
  std::string run = {};              ///< names the run: equal start, data and options
};

/// The record of a trainer as it stands; `run` is empty.
TrainingRecord record_of(const Trainer& trainer);

nlohmann::ordered_json to_json(const TrainingRecord& record);
/// Writes training.json into `folder`, whole or not at all.
void write_record(const TrainingRecord& record, const std::string& folder);
/// Reads training.json of a checkpoint; nothing where there is none. Throws Error(Data) when it is damaged.
std::optional<TrainingRecord> read_record(const std::string& folder);

/// "mean_over_tokens", "mean_over_examples".
const char* to_string(Reduction reduction);
/// Throws Error(Usage) with the nearest names.
Reduction reduction_named(std::string_view name);

}  // namespace assay::train
