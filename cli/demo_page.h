// What the demo's page says around its findings: the model, what it cost, how to run it again.
#pragma once

#include <string>

#include "assay/core/plan.h"
#include "assay/report/demo_report.h"
#include "cli/demo_results.h"
#include "cli/invocation.h"

namespace assay::cli {

/// `attribute_command`: the line that gives the demo's scores again.
report::DemoView demo_page(const DemoOutcome& outcome, const Invocation& invocation,
                           const std::string& attribute_command, const Plan& plan, double seconds);

}  // namespace assay::cli
