// The check beside the scores: what happened to the sentence when the model was trained on (or without) the documents that
// the scores name, against random ones. Predicted is a ring, measured is a dot; rings only where the model was trained
// again without the documents, because only then do the scores predict what is measured.
#pragma once

#include "assay/report/attribution_report.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

enum class Verdict { Believe, DirectionHolds, Hint, DoNotBelieve };

/// t ≥ 5: the direction holds, and with retraining, where the interval of the ratio lies inside 0.5 to 2, the ranking is to
/// be believed; 2 ≤ t < 5: a hint; below: do not believe these scores.
Verdict verdict_of(const TrustCheck& check);

/// The figure, its table and one verdict sentence. At most 20 top documents are drawn.
Html trust_panel(FigureNumbers& numbers, const TrustCheck& check, const Noun& noun);

}  // namespace assay::report
