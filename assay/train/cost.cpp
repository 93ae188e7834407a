#include "assay/train/cost.h"

#include <algorithm>

#include "assay/core/machine.h"

namespace assay::train {
namespace {

// The operators of a Llama block, forward, backward and bookkeeping. A recorded operator (its node, its allocation, its
// backward) costs about five plain ones: measured on stories260K's and the demo's sizes, 8 µs against 1.4.
constexpr double kCallsPerBlock = 90;
constexpr double kCallsPerStep = 120;
constexpr double kPlainCallsPerRecorded = 5;
// Numbers that pass through operators beside the products, a position and block: two norms, rotation and residuals take
// 26 widths, the gated activation two MLP widths; the backward pass two and a half times that; two reads and a write.
constexpr double kPasses = (1 + 2.5) * 3;
constexpr double kWidthsPerBlock = 26;
constexpr double kMlpWidthsPerBlock = 2;
constexpr double kVocabulariesPerPosition = 2;  // log-probabilities and what is picked from them
// AdamW reads p, g, m, v and writes p, m, v; clipping reads g; the backward writes it.
constexpr double kPassesPerStep = 9;
constexpr int64_t kCopiesInMemory = 5;        // the start, p, g, m, v
constexpr int64_t kCopiesInCheckpoint = 3;    // p, m, v
constexpr int64_t kActivationsPerBlock = 20;  // tensors [B,T,D] kept for the backward pass, MLP widths included

}  // namespace

Cost training_cost(const Trainer& trainer) {
  const nn::Model& model = trainer.model();
  const nn::Facts facts = model.architecture().facts();
  const TrainOptions& options = trainer.options();
  const data::Dataset& dataset = trainer.dataset();
  const auto steps = static_cast<double>(trainer.total_steps());
  const auto parameters = static_cast<double>(model.parameters().count());
  const auto element = static_cast<int64_t>(model.parameters()[0].element_size());
  const double epochs = steps / static_cast<double>(trainer.steps_per_epoch());
  const double positions = static_cast<double>(std::max(dataset.tokens(), dataset.size())) * epochs;

  Cost cost;
  cost.flops = 6 * parameters * positions * (element == 8 ? 2 : 1);
  cost.operator_calls =
      steps * kPlainCallsPerRecorded * (kCallsPerStep + kCallsPerBlock * static_cast<double>(facts.blocks));
  const double numbers =
      kPasses * (static_cast<double>(facts.blocks) * (kWidthsPerBlock * static_cast<double>(facts.width) +
                                                      kMlpWidthsPerBlock * static_cast<double>(facts.mlp_width)) +
                 kVocabulariesPerPosition * static_cast<double>(facts.vocabulary));
  cost.bytes_moved = static_cast<double>(element) * (steps * kPassesPerStep * parameters + positions * numbers);
  const int64_t batch = options.batch_size > 0 ? options.batch_size : dataset.size();
  const int64_t kept = batch * std::max<int64_t>(1, dataset.longest()) *
                       (facts.blocks * kActivationsPerBlock * facts.width + 2 * facts.vocabulary);
  cost.peak_bytes = resident_bytes() + element * (kCopiesInMemory * model.parameters().count() + kept);
  const int64_t checkpoints = options.checkpoint_every > 0 ? (trainer.total_steps() - 1) / options.checkpoint_every : 0;
  cost.disk_bytes = element * model.parameters().count() * (1 + checkpoints * kCopiesInCheckpoint);
  return cost;
}

}  // namespace assay::train
