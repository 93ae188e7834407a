// The families that Assay knows, each one file beside this one.
#pragma once

#include <memory>

#include "assay/io/json.h"
#include "assay/nn/decoder.h"

namespace assay::nn {

/// model_type "llama", "qwen2", "gpt2", "gpt_neo", "gpt_neox": texts.
std::shared_ptr<const Architecture> make_llama(const io::JsonObject& config);
std::shared_ptr<const Architecture> make_qwen2(const io::JsonObject& config);
std::shared_ptr<const Architecture> make_gpt2(const io::JsonObject& config);
std::shared_ptr<const Architecture> make_gpt_neo(const io::JsonObject& config);
std::shared_ptr<const Architecture> make_gpt_neox(const io::JsonObject& config);

extern const DecoderNames kLlamaNames;  ///< Qwen2's too
extern const DecoderNames kGpt2Names;
extern const DecoderNames kGptNeoNames;
extern const DecoderNames kGptNeoxNames;

/// A multilayer perceptron on arrays, for classification or regression. model_type "mlp":
/// features, hidden [widths], outputs, activation "tanh" | "relu", task "classification" | "regression", bias,
/// repeats (how often each square hidden layer is applied: one weight, several calls).
std::shared_ptr<const Architecture> make_mlp(const io::JsonObject& config);

}  // namespace assay::nn
