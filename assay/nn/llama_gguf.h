// How llama.cpp writes a Llama: its metadata as a config.json, its tensor names and the order of q and k rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "assay/io/gguf.h"

namespace assay::nn {

/// The Hugging Face configuration that the metadata describes. Error(Model) for another architecture than llama.
nlohmann::json config_of_gguf(const io::Gguf& file);

/// "model.layers.3.mlp.up_proj.weight" → "blk.3.ffn_up.weight".
std::string gguf_name(const std::string& parameter);

/// The weight of one parameter in the Hugging Face order: [O,I]. llama.cpp rotates adjacent pairs of a head where Llama
/// rotates halves, and reorders the rows of q and k accordingly; that is undone here. `heads` are the rows' heads.
at::Tensor rows_by_halves(const at::Tensor& weight, int64_t heads);

}  // namespace assay::nn
