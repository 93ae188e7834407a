// The query, token by token: a bar hangs under each as long as the model was surprised. Bars of the question are hollow
// and only for comparison; bars of the completion are filled and numbered, they are what is measured.
#pragma once

#include "assay/report/attribution_report.h"
#include "assay/report/html.h"

namespace assay::report {

/// Tokens that end inside a character are joined, their log-probabilities added. Of long queries the last 60 tokens of
/// the question and the first 120 of the completion are drawn, and the strip says so. `note` stands between the picture
/// and its table.
Html token_strip(const std::vector<QueryToken>& tokens, int prompt_tokens, const Html& note);

/// The tokens as they are shown: split characters joined. `prompt_tokens` is adjusted.
struct DisplayTokens {
  std::vector<QueryToken> tokens;
  int prompt_tokens = 0;
};
DisplayTokens display_tokens(const std::vector<QueryToken>& tokens, int prompt_tokens);

}  // namespace assay::report
