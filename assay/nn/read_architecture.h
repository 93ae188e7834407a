// The sizes of a model on disk without its weights: for commands that need its context and nothing else.
#pragma once

#include <memory>
#include <string>

#include "assay/nn/architecture.h"

namespace assay::nn {

/// The architecture that a model folder's config.json, a .gguf file or the one .gguf file of a folder describes; null
/// where there is none of these (a tokenizer.json alone). Error(Model) where it is damaged or of an unknown family.
std::shared_ptr<const Architecture> read_architecture(const std::string& path);

}  // namespace assay::nn
