// The files that hold tokenizers, behind load_tokenizer.
#pragma once

#include <string>

#include "assay/data/tokenizer_definition.h"

namespace assay::data {

/// tokenizer.json, with tokenizer_config.json and chat_template.jinja where they stand beside it.
TokenizerDefinition read_tokenizer_json(const std::string& path);

/// vocab.json and merges.txt of a folder, the older form of a byte-level BPE; which pre-tokenizer it has says the class
/// in tokenizer_config.json, or the family in config.json.
TokenizerDefinition read_tokenizer_vocab_merges(const std::string& folder);

/// The keys tokenizer.* in the metadata of a GGUF file.
TokenizerDefinition read_tokenizer_gguf(const std::string& path);

}  // namespace assay::data
