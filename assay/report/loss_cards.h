// The hardest and the easiest examples: each its loss per target as a number and as a bar on the page's common axis,
// which begins at zero, and the beginning of its text. Without texts (arrays) a table says the same.
#pragma once

#include "assay/report/evaluation_sentences.h"
#include "assay/report/html.h"

namespace assay::report {

/// Both groups under their headings; empty where nothing is shown.
Html loss_cards(const EvaluationFacts& facts);

}  // namespace assay::report
