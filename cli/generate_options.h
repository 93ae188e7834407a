#pragma once

#include "cli/common_options.h"
#include "cli/data_options.h"

namespace assay::cli {

/// `assay generate MODEL --prompt TEXT`: what the model says next.
struct GenerateOptions {
  CommonOptions common;
  std::string model;
  std::string prompt;
  std::string system;                         ///< with `chat`: the system message; empty: the template's own
  bool chat = false;                          ///< wrap the prompt in the model's chat template
  BeginToken begin_token = BeginToken::Auto;  ///< whether BOS stands before the prompt
  int64_t max_tokens = 64;
  double temperature = 0.0;  ///< 0: greedy
  int64_t top_k = 0;         ///< 0: all tokens
  double top_p = 1.0;        ///< 1: all tokens
};

void describe(CLI::App& command, GenerateOptions& options);

}  // namespace assay::cli
