#pragma once

#include "cli/common_options.h"
#include "cli/data_options.h"

namespace assay::cli {

/// `assay tokenize MODEL --text TEXT`: the tokens of a text. `assay tokenize MODEL --data PATH --out DIR`: those of a
/// corpus, as token shards.
struct TokenizeOptions {
  CommonOptions common;
  DataOptions data;   ///< of a text, begin_token alone
  std::string model;  ///< a model folder, a GGUF file or a tokenizer.json
  std::string text;
  bool text_given = false;
};

void describe(CLI::App& command, TokenizeOptions& options);

}  // namespace assay::cli
