// Models on disk: folders in the Hugging Face layout (config.json, model.safetensors or its shards) and GGUF files.
// Weights are memory-mapped; those that are stored as they are kept (float32, or the bf16 matrices of a model of bf16)
// are used in place, others are converted one at a time, and the memory of what was read of them is given back at once:
// beside the model, loading holds the largest of its tensors.
#pragma once

#include <string>
#include <vector>

#include "assay/nn/model.h"

namespace assay::nn {

/// A checkpoint and where it came from.
struct Checkpoint {
  Model model;
  std::string path;                     ///< the folder or file given
  std::string weights;                  ///< the file that holds the weights (or the index of the shards)
  std::string hash;                     ///< XXH3-128 of the weight files' bytes and the configuration
  std::string format;                   ///< "safetensors" or "gguf"
  std::vector<std::string> types = {};  ///< of the parameters as they are stored: "F32", "BF16", "Q8_0"
};

/// Loads a model folder, a .gguf file, or a folder that holds one .gguf file. Every missing, extra, wrongly shaped or
/// duplicated tensor, every NaN and every pickled checkpoint is refused with one sentence (Error(Model)).
/// `dtype`: of the matrices (Model::matrix_dtype).
Checkpoint load_checkpoint(const std::string& path, at::ScalarType dtype = at::kFloat);

/// Writes config.json and model.safetensors (tmp + rename); the folder is created.
void save_checkpoint(const Model& model, const std::string& folder);

}  // namespace assay::nn
