// Whether company changes a document: loss and gradient of a few documents, each alone and all in one padded batch. In
// exact arithmetic they are the same. A kernel that is chosen by shape sums in another order, which is rounding;
// padding that is not masked, or rows that mix, is a mistake, and every factor and score behind it would be wrong.
//
//   of document i and layer l   | ‖D_il‖ alone - ‖D_il‖ together |  over  ‖D_il‖ or the layers' root mean square, the
//   larger
//
// Costs two gradient passes over at most eight documents that fit one batch of a walk; gradients stay factored, and a
// number for each document and layer is held. Norms alone are compared: a change that keeps them all would pass.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "assay/attribute/scorer.h"
#include "assay/core/plan.h"

namespace assay::attribute {

struct BatchCheck {
  int64_t documents = 0;           ///< that were compared; 0: no two of the corpus can share a batch
  double tolerance = 0;            ///< by the precision of the model
  double loss_difference = 0;      ///< the largest, relative
  int64_t loss_row = 0;            ///< of the training documents: where that is
  double gradient_difference = 0;  ///< the largest, relative
  int64_t gradient_row = 0;        ///< where that is
  std::string gradient_layer;      ///< and in which layer

  double largest() const { return std::max(loss_difference, gradient_difference); }
};

/// What a model of this precision may differ by.
double batch_tolerance(const nn::Model& model);

/// The rows that are compared: of all lengths between the shortest and the longest document that has something to
/// predict, two positions at least, and room for another of its length in a batch of the walk (longer ones are walked
/// alone); at most eight, and as many as fit such a batch. The same documents in whatever order they come. Fewer than
/// two: none.
std::vector<int64_t> batch_check_rows(const Inputs& inputs);

/// What check_batches takes.
Cost batch_check_cost(const Inputs& inputs);

/// Throws Error(Numeric) where a document differs by more than the tolerance. What is not finite alone is left to the
/// fit, which says so by name.
BatchCheck check_batches(const Inputs& inputs, Progress& progress);

}  // namespace assay::attribute
