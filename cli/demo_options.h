#pragma once

#include "cli/common_options.h"

namespace assay::cli {

/// `assay demo`: a corpus whose causes are known, a model trained on it, and what attribution finds.
struct DemoOptions {
  CommonOptions common;  ///< `out` is "demo" unless given; `seed` draws the corpus
  bool retrain = true;   ///< the proof: train again without the documents that were found
};

void describe(CLI::App& command, DemoOptions& options);

}  // namespace assay::cli
