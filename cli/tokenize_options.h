#pragma once

#include "cli/common_options.h"
#include "cli/data_options.h"

namespace assay::cli {

/// `assay tokenize MODEL --text TEXT`: the tokens of a text.
struct TokenizeOptions {
  CommonOptions common;
  std::string model;  ///< a model folder, a GGUF file or a tokenizer.json
  std::string text;
  BeginToken begin_token = BeginToken::Auto;
};

void describe(CLI::App& command, TokenizeOptions& options);

}  // namespace assay::cli
