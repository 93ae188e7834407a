// A document's text with its tokens shaded by what they contribute, the key of the colours, and the choice of the
// passage worth showing: the window with the largest sum of absolute values, cut at sentence ends.
#pragma once

#include <string>
#include <vector>

#include "assay/report/color_steps.h"
#include "assay/report/html.h"
#include "assay/report/numbers.h"
#include "assay/report/split_characters.h"

namespace assay::report {

/// Tokens ready to be shaded: split characters joined; a text without values is cut into words, so that windows can be
/// chosen all the same.
ValuedTokens readable_tokens(const std::vector<std::string>& tokens, const std::vector<double>& values);

/// A range of tokens.
struct Window {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// At most `longest` tokens. Begins at the start of the text or of a sentence and ends with one where that is possible.
/// Without values: the start of the text.
Window best_window(const ValuedTokens& text, std::size_t longest);

/// Share of the document's total that lies in the window; 0 without values or with a total of zero.
double share_of_window(const ValuedTokens& text, const Window& window);

/// Runs of equal step are one element; blanks at a run's ends stay outside; from step 3 on the sum is its tooltip.
Html shade(const ValuedTokens& text, const Window& window, const SignedSteps& steps, const ScoreUnit& unit);

/// The colour key of a page; thresholds in parts of "a nat", or in "nats".
Html shade_key(const SignedSteps& steps, const std::string& one_unit, const std::string& many_units);

}  // namespace assay::report
