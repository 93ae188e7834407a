// The check beside the scores: what happened to the sentence when the model was trained on (or without) the documents
// that the scores name, against random ones. Predicted is a ring, measured is a dot; rings only where the model was
// trained again without the documents, because only then do the scores predict what is measured.
#pragma once

#include "assay/report/attribution_report.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

/// The figure, its table and one verdict sentence. At most 20 top documents are drawn.
Html trust_panel(FigureNumbers& numbers, const TrustCheck& check, const Noun& noun);

}  // namespace assay::report
