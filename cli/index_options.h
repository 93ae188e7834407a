#pragma once

#include "assay/attribute/index_settings.h"
#include "cli/batch_check_options.h"
#include "cli/common_options.h"
#include "cli/data_options.h"

namespace assay::cli {

/// `assay index MODEL --data CORPUS --out FOLDER`: logs the corpus's projected gradients once, for many questions.
struct IndexOptions {
  CommonOptions common;
  DataOptions data;
  std::string model;
  std::string layers;                 ///< a pattern over layer names; empty: every layer that can be tracked
  int64_t rank = 0;                   ///< of either side; 0: not given, which 0 itself cannot be
  int64_t rank_in = 0, rank_out = 0;  ///< of one side; 0: not given
  attribute::IndexSettings settings;  ///< projection, curvature and type of rows
  bool projection_given = false, curvature_given = false, type_given = false;
  CheckBatches check_batches = CheckBatches::Auto;
  bool append = false;  ///< put the documents behind those of an index that is there
  std::string cache;    ///< empty: the default folder
};

void describe(CLI::App& command, IndexOptions& options);

}  // namespace assay::cli
