// What the page of every command says of its run.
#pragma once

#include <string>
#include <vector>

#include "assay/core/plan.h"
#include "assay/report/view.h"

namespace assay::cli {

/// "27 November 2026", in UTC: a day, no time, so that the same result gives the same page.
std::string today();

/// Time and memory, planned and actual: `seconds` of the run, and the most that the process has held.
std::vector<report::CostRow> cost_rows(const Plan& plan, double seconds);

}  // namespace assay::cli
