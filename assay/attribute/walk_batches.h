// The batches in which a model walks over documents: as many positions as keep one backward pass within 300 MB, but
// not so few that products wait for weights (512, in bf16 1,024), and within the memory that is given where that is
// less. The machine decides nothing else: with memory enough the same job has the same bits everywhere. Where it is
// scarce the batches of a narrow model depend on the threads, too, each of which holds one.
#pragma once

#include <cstdint>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/nn/model.h"

namespace assay::attribute {

/// Numbers of the model's dtype that a forward pass keeps for its backward pass, a position. Attention keeps none
/// between positions and the head none of the vocabulary: their backward passes compute them again.
double kept_numbers_per_position(const nn::Model& model);

/// Positions of a batch, padding included, whose backward pass keeps at most `memory_bytes`. Never more than is useful,
/// and so the same for all budgets that are large enough; plans and passes both ask here.
int64_t positions_of_a_walk(const nn::Model& model, int64_t memory_bytes);

/// Rows of the dataset, as data::plan_batches cuts them: a document that is longer than the budget is a batch alone.
std::vector<std::vector<int64_t>> walk_batches(const nn::Model& model, const data::Dataset& dataset,
                                               int64_t memory_bytes);

}  // namespace assay::attribute
