// The batches in which a model walks over documents: as many positions as keep one backward pass within a gigabyte, so
// that large models do not pay for small ones' habits. Depends on the model and the documents alone, never on the
// machine: the same job has the same bits everywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/nn/model.h"

namespace assay::attribute {

/// Numbers that a forward pass keeps for its backward pass, a position. Attention keeps none between positions: its
/// backward pass computes them again.
double kept_numbers_per_position(const nn::Architecture& architecture);

/// Rows of the dataset, as data::plan_batches cuts them.
std::vector<std::vector<int64_t>> walk_batches(const nn::Model& model, const data::Dataset& dataset);

}  // namespace assay::attribute
