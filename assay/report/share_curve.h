// How much of all support the strongest documents carry together, on a logarithmic count, beside the dotted line that
// equal shares would give.
#pragma once

#include "assay/report/html.h"
#include "assay/report/page.h"
#include "assay/report/support.h"

namespace assay::report {

/// Empty with fewer than two supporters: there is nothing to compare.
Html share_curve(FigureNumbers& numbers, const Support& support, const Noun& noun);

}  // namespace assay::report
