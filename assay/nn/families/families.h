// The families that Assay knows, each one file beside this one.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "assay/io/json.h"
#include "assay/nn/architecture.h"

namespace assay::nn {

/// Llama: RMSNorm, rotary positions, grouped queries, SwiGLU; head tied or not. model_type "llama".
std::shared_ptr<const Architecture> make_llama(const io::JsonObject& config);

/// A multilayer perceptron on arrays, for classification or regression. model_type "mlp":
/// features, hidden [widths], outputs, activation "tanh" | "relu", task "classification" | "regression", bias,
/// repeats (how often each square hidden layer is applied: one weight, several calls).
std::shared_ptr<const Architecture> make_mlp(const io::JsonObject& config);

}  // namespace assay::nn
