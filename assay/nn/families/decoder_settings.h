// What several families read from a config.json in the same words.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "assay/io/json.h"
#include "assay/nn/decoder.h"

namespace assay::nn {

/// Sets width, heads and head width of `facts` from the two keys; refuses a width that the heads do not divide.
void read_heads(const io::JsonObject& config, const char* width_key, const char* heads_key, Facts& facts);

/// A plain MLP's activation by its name in configurations: "gelu_new", "gelu", "relu", ..
Activation activation_named(const io::JsonObject& config, const char* key, const std::string& fallback);

/// Rotary frequencies of the first `width` numbers of a head, float64 [width/2], changed by the scaling that the
/// configuration asks for. Read from rope_theta (or `base_key`) and rope_scaling, or from rope_parameters, which newer
/// configurations have instead. Scaling "llama3", "linear" and "factors" (a list of divisors, one a pair: how GGUF
/// files carry a scaling whose rule they do not name); others are refused by name.
at::Tensor rotary_frequencies_of(const io::JsonObject& config, int64_t width, const char* base_key = "rope_theta");

/// A Llama: what Llama and Qwen2 share. Biases and windows are left to the caller.
DecoderSpec llama_spec(const io::JsonObject& config, const std::string& family);

}  // namespace assay::nn
