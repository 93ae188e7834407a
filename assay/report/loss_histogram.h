// The losses of all examples on one axis, as bars that count the examples of their range. Amounts have no sign, so
// everything is grey and ink. The examples that the page shows are dots on the ground.
#pragma once

#include "assay/report/evaluation_sentences.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

/// Empty where no example has a loss. By factors where the hardest costs more than eight times what one of the easiest
/// twentieth does.
Html loss_histogram(FigureNumbers& numbers, const EvaluationFacts& facts);

}  // namespace assay::report
