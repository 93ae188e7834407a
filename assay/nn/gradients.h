// Per-example gradients of a measurement: one forward and one backward pass for a whole batch. The sum over the batch
// is differentiated, which keeps examples apart because no operation of a family mixes rows.
#pragma once

#include <span>

#include "assay/data/batch.h"
#include "assay/nn/measurement.h"
#include "assay/nn/model.h"

namespace assay::nn {

/// Hands the factored gradient of each of `layers` to `sink`, last layer first; returns the measurement's values [B].
/// Costs a forward and the backward's half that carries gradients down; nothing below the first tracked layer is run.
at::Tensor stream_gradients(const Model& model, const data::Batch& batch, const Measurement& measurement,
                            std::span<const LayerId> layers, const GradientSink& sink);

/// Values of a measurement without gradients: [B].
at::Tensor evaluate(const Model& model, const data::Batch& batch, const Measurement& measurement);

}  // namespace assay::nn
