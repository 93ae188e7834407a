// What the demo will cost, counted on the very corpus, recipe and questions that it will use.
#pragma once

#include "assay/core/plan.h"
#include "cli/demo_options.h"

namespace assay::cli {

/// Makes the corpus and the fresh model of this seed in memory (milliseconds) and counts their shapes.
Plan plan_demo(const DemoOptions& options, const Ceilings& ceilings);

/// Models trained side by side, one thread each.
int demo_processes(const CommonOptions& common);

}  // namespace assay::cli
