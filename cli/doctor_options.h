#pragma once

#include "cli/common_options.h"

namespace assay::cli {

/// `assay doctor`: what this machine can do and what is missing.
struct DoctorOptions {
  CommonOptions common;
  bool clear_cache = false;  ///< empty the cache folder and stop
  std::string cache;         ///< empty: the default folder
};

void describe(CLI::App& command, DoctorOptions& options);

}  // namespace assay::cli
