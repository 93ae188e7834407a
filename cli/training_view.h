// From a training run to its page. No result is computed here.
#pragma once

#include "assay/core/plan.h"
#include "assay/report/training_report.h"
#include "assay/train/recipe.h"
#include "assay/train/run.h"
#include "cli/commands.h"

namespace assay::cli {

/// `folder`: the trained model's. `training_seconds`: what the steps of this process took; `seconds`: the whole
/// command.
report::TrainingView training_view(const train::Recipe& recipe, const train::PreparedRun& prepared,
                                   const train::RunOutcome& outcome, const std::string& folder, const Session& session,
                                   const Plan& plan, double training_seconds, double seconds);

}  // namespace assay::cli
