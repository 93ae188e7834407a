// The check of batches as commands run it: planned, done before the fit, said in a note and in the result.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "assay/attribute/batch_check.h"
#include "assay/core/plan.h"
#include "cli/batch_check_options.h"

namespace assay::cli {

/// Whether the run that is planned so far is to be checked; then the check is a stage of the plan, too.
bool plan_batch_check(CheckBatches asked, Plan& plan, const attribute::Inputs& inputs);

/// Nothing where no two documents can share a batch, which a note says.
std::optional<attribute::BatchCheck> checked_batches(const attribute::Inputs& inputs, Progress& progress);

/// {documents, tolerance, loss_difference, loss_row, gradient_difference, gradient_row, gradient_layer}
nlohmann::ordered_json batch_check_json(const attribute::BatchCheck& check);

}  // namespace assay::cli
