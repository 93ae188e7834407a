// The hero of an attribution page: all support as one bar, a slice for each document, strongest first; below it all
// opposition on the same scale.
#pragma once

#include "assay/report/html.h"
#include "assay/report/numbers.h"
#include "assay/report/page.h"
#include "assay/report/support.h"

namespace assay::report {

/// `shown`: how many of the strongest have a card on the page. Empty without any score other than zero.
Html support_strip(FigureNumbers& numbers, const Support& support, const ScoreUnit& unit, const Noun& noun,
                   std::int64_t shown);

}  // namespace assay::report
