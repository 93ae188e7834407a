// How llama.cpp writes the families that it shares with us (llama, qwen2, gpt2, gptneox): its metadata as a
// config.json, its names of tensors, and the order in which it puts the rows of weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "assay/io/gguf.h"
#include "assay/nn/architecture.h"
#include "assay/nn/decoder.h"

namespace assay::nn {

/// The Hugging Face configuration that the metadata describes. Error(Model) for an architecture that is not ours.
nlohmann::json config_of_gguf(const io::Gguf& file);

/// What our name of a weight is in a GGUF file: "model.layers.3.mlp.up_proj.weight" → "blk.3.ffn_up.weight".
std::string gguf_name(const DecoderNames& names, const std::string& parameter);

/// The names of the weights of a model_type that GGUF files hold.
const DecoderNames& gguf_weight_names(const std::string& model_type);

/// The shape that the file has for a weight of `shape`: GPT-2's matrices stand transposed.
std::vector<int64_t> shape_in_gguf(std::vector<int64_t> shape, const std::string& parameter,
                                   const nlohmann::json& config);

/// A tensor of the file as the Hugging Face layout has it. Undoes what llama.cpp's converter does: rows of a Llama's q
/// and k reordered, because it turns adjacent pairs of a head where Llama turns halves; NeoX's rows head by head put as
/// (q|k|v, head); GPT-2's matrices transposed (given back as a view).
at::Tensor in_our_order(at::Tensor tensor, const std::string& parameter, const nlohmann::json& config,
                        const Facts& facts);

}  // namespace assay::nn
