// A Llama as one would write it first: one ATen operator a line, full logits. What the engine's own pass has to beat.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/data/batch.h"
#include "assay/nn/model.h"

namespace assay::bench {

/// Summed next-token loss of a batch without padding on the left.
at::Tensor plain_loss(const nn::Model& model, const data::Batch& batch);

}  // namespace assay::bench
