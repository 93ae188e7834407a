// The words that the shading points at: runs of strongly shaded words, joined across documents by their text. What an
// editor would quote, found by rule.
#pragma once

#include <string>
#include <vector>

#include "assay/report/color_steps.h"
#include "assay/report/split_characters.h"

namespace assay::report {

/// The `wanted` runs with the largest sum of `sign` × value over all texts, without the punctuation around them; runs
/// that repeat part of a chosen one are passed over, and so is whatever holds less than a tenth of the total of that
/// sign.
std::vector<std::string> strongest_runs(const std::vector<ValuedTokens>& texts, const SignedSteps& steps, double sign,
                                        std::size_t wanted);

}  // namespace assay::report
