// How well a model predicts a dataset: the loss of each example and of all together. Sums run over counted positions
// (targets); the loss per target weighs every target alike, never every document. One forward pass over the data, saved
// on the way: killed at any moment and started again it goes on to the same bits.
#pragma once

#include <cstdint>
#include <vector>

#include "assay/core/plan.h"
#include "assay/core/progress.h"
#include "assay/curvature/workspace.h"
#include "assay/data/dataset.h"
#include "assay/nn/model.h"

namespace assay::evaluate {

struct Prediction {
  std::vector<double> losses;    ///< [N] summed over the example's targets: nats, or half squared errors
  std::vector<int64_t> targets;  ///< [N] counted positions
  int64_t correct = 0;           ///< classifiers: examples whose likeliest class is their label

  double total_loss() const;
  int64_t total_targets() const;
  double loss_per_target() const;  ///< NaN where nothing is counted
  double perplexity() const;       ///< exp of the loss per target
};

/// Throws Error(Numeric) where a loss is not finite: weights or activations have left the range of their type.
void require_finite(const Prediction& prediction);

/// What predict will cost: two operations a weight and position, attention, the logits' traffic, operator calls.
Cost prediction_cost(const nn::Model& model, const data::Dataset& dataset);

/// Losses of every example, in the dataset's order. What is done lies in `workspace` at least every eighth of the walk
/// and is found again by a call with the same model and dataset, which the workspace's key must name; the block stays
/// until the caller throws the workspace away.
Prediction predict(const nn::Model& model, const data::Dataset& dataset, curvature::Workspace& workspace,
                   Progress& progress);
/// The same with nothing kept.
Prediction predict(const nn::Model& model, const data::Dataset& dataset, Progress& progress);

}  // namespace assay::evaluate
