// --check-batches: whether documents are compared alone and in company before a long run
// (assay/attribute/batch_check.h).
#pragma once

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace assay::cli {

enum class CheckBatches {
  Auto,  ///< where the run is long
  Yes,
  No,
};

CLI::Option* add_check_batches(CLI::App& command, CheckBatches& value);

}  // namespace assay::cli
