// The files that hold tokenizers, behind load_tokenizer.
#pragma once

#include <string>

#include "assay/data/tokenizer_definition.h"

namespace assay::data {

/// tokenizer.json, with tokenizer_config.json and chat_template.jinja where they stand beside it.
TokenizerDefinition read_tokenizer_json(const std::string& path);

/// The keys tokenizer.* in the metadata of a GGUF file.
TokenizerDefinition read_tokenizer_gguf(const std::string& path);

}  // namespace assay::data
