// What each method retrieves, one square a document, best first: filled where it was planted. Ours in the colour of its
// sign, the others grey; the count, and beside it the mean precision over all questions of the group.
#pragma once

#include <vector>

#include "assay/report/demo_report.h"
#include "assay/report/html.h"

namespace assay::report {

/// The first row is ours. `is_bottom`: the squares stand for documents against the answer.
Html unit_bars(const std::vector<DemoRanking>& rankings, std::int64_t questions, bool is_bottom);

}  // namespace assay::report
