#include "cli/batch_check_options.h"

#include "cli/typed_options.h"

namespace assay::cli {

CLI::Option* add_check_batches(CLI::App& command, CheckBatches& value) {
  return add_choice<CheckBatches>(command, "--check-batches", value,
                                  {{"auto", CheckBatches::Auto}, {"yes", CheckBatches::Yes}, {"no", CheckBatches::No}},
                                  "Compare the gradients of eight documents alone and in a batch first; auto: where "
                                  "the run takes over ten minutes");
}

}  // namespace assay::cli
