// The loss of a training run by its steps: each batch pale, their running mean strong, and the learning rate in a small
// chart of its own on the same steps. Of a long log the picture keeps the span of neighbouring steps, not every one.
#pragma once

#include "assay/report/html.h"
#include "assay/report/page.h"
#include "assay/report/training_sentences.h"

namespace assay::report {

/// Empty with fewer than two steps. By factors where the running mean falls to a tenth or below.
Html loss_curve(FigureNumbers& numbers, const TrainingFacts& facts);

}  // namespace assay::report
