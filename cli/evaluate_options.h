#pragma once

#include "cli/common_options.h"
#include "cli/data_options.h"

namespace assay::cli {

/// `assay evaluate MODEL --data FILE`: how well the model predicts a corpus.
struct EvaluateOptions {
  CommonOptions common;
  DataOptions data;
  std::string model;
};

void describe(CLI::App& command, EvaluateOptions& options);

}  // namespace assay::cli
