#pragma once

#include "cli/common_options.h"

namespace assay::cli {

/// `assay train RECIPE.toml`: from scratch or from a checkpoint; the same command again resumes.
struct TrainOptions {
  CommonOptions common;
  std::string recipe;
};

void describe(CLI::App& command, TrainOptions& options);

}  // namespace assay::cli
