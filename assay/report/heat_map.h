// Where in the network the support flows: a real table, one row a block (input at the bottom), one column a weight
// matrix, totals with bars on two sides. Above 16 blocks neighbours merge and the numbers move into the table below.
#pragma once

#include "assay/report/attribution_report.h"
#include "assay/report/html.h"

namespace assay::report {

Html heat_map(const LayerShares& layers);

}  // namespace assay::report
