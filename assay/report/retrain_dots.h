// The proof of the demo: the probability of each question shown's answer after training again, a dot with the range of
// the seeds; what was left out is written at the dot. A dotted line leads from where the full model stands.
#pragma once

#include <vector>

#include "assay/report/demo_report.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

Html retrain_dots(FigureNumbers& numbers, const std::vector<DemoGroup>& groups);

}  // namespace assay::report
