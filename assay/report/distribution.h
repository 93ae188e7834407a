// All scores at once, on an inverse hyperbolic sine axis: even near zero, by factors further out. One dot is one
// document; above 2,000 documents, or where dots would not fit, bars of the same bins. Documents with a card stay dots,
// large and in the strong colour, with their rank.
#pragma once

#include <cstdint>
#include <vector>

#include "assay/report/html.h"
#include "assay/report/numbers.h"
#include "assay/report/page.h"

namespace assay::report {

/// `values` in corpus order; `top` and `bottom` are the documents with a card, strongest first. Without a
/// sign everything is grey and ink.
Html distribution(FigureNumbers& numbers, const std::vector<double>& values, const std::vector<std::int64_t>& top,
                  const std::vector<std::int64_t>& bottom, const ScoreUnit& unit, const Noun& noun, bool is_signed);

}  // namespace assay::report
