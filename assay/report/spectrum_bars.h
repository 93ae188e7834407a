// The eigenvalues of a curvature as bars on a logarithmic axis, the damping a line through it: left of the line the
// damping decides, right of it the curvature.
#pragma once

#include "assay/report/attribution_report.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

Html spectrum_bars(FigureNumbers& numbers, const CurvatureView& curvature);

}  // namespace assay::report
