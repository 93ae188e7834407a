#pragma once

#include "cli/common_options.h"

namespace assay::cli {

/// `assay inspect MODEL`: what a checkpoint holds and what its parts are called.
struct InspectOptions {
  CommonOptions common;
  std::string model;
  bool sites = false;    ///< activations that taps can reach
  bool layers = false;   ///< linear layers and whether they can be tracked
  bool weights = false;  ///< every tensor with shape, type and norm
};

void describe(CLI::App& command, InspectOptions& options);

}  // namespace assay::cli
