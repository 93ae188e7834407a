// Sums of scores as a list of bars around one zero: groups of documents, or documents over all queries. The same
// numbers stand beside the bars, so that no table is needed below.
#pragma once

#include "assay/report/attribution_report.h"
#include "assay/report/html.h"

namespace assay::report {

/// `factor` turns raw sums into `unit` ("nats").
Html sum_bars(const SumView& view, double factor, const std::string& unit, const Noun& noun);

}  // namespace assay::report
