// Predicted against actual change, one dot a question, one panel a group: what the sum of the removed documents' scores
// promised and what training again without them gave. The dotted line is where both are equal.
#pragma once

#include "assay/report/demo_report.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

/// Empty without questions.
Html change_scatter(FigureNumbers& numbers, const DemoGroup& group);

}  // namespace assay::report
