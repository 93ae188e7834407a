#include "cli/batch_check.h"

#include <fmt/format.h>

#include "cli/planning.h"

namespace assay::cli {

bool plan_batch_check(CheckBatches asked, Plan& plan, const attribute::Inputs& inputs) {
  if (asked == CheckBatches::No || (asked == CheckBatches::Auto && !is_long(plan))) return false;
  plan.add("batch check", attribute::batch_check_cost(inputs));
  return true;
}

std::optional<attribute::BatchCheck> checked_batches(const attribute::Inputs& inputs, Progress& progress) {
  attribute::BatchCheck check = attribute::check_batches(inputs, progress);
  if (check.documents == 0) {
    progress.note("Batches were not checked: no two documents with a token to predict can share one.");
    return std::nullopt;
  }
  progress.note(fmt::format("Checked: {} documents alone and together give the same losses and gradients to {:.0e}.",
                            check.documents, check.largest()));
  return check;
}

nlohmann::ordered_json batch_check_json(const attribute::BatchCheck& check) {
  return {{"documents", check.documents},
          {"tolerance", check.tolerance},
          {"loss_difference", check.loss_difference},
          {"loss_row", check.loss_row},
          {"gradient_difference", check.gradient_difference},
          {"gradient_row", check.gradient_row},
          {"gradient_layer", check.gradient_layer}};
}

}  // namespace assay::cli
