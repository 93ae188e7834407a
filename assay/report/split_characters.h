// A byte-level tokenizer may end a token inside a character. Such tokens are shown as one: their bytes are joined, and
// so are their values, which add up.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace assay::report {

/// Tokens with one value each.
struct ValuedTokens {
  std::vector<std::string> tokens;
  std::vector<double> values;  ///< empty, or one a token
};

/// For each token, the place of the token that it is shown with: [0, 1, 1, 3] joins the second and third. Only tokens
/// that together complete a valid character are joined; broken bytes stay apart and are shown as hex.
std::vector<std::size_t> display_groups(const std::vector<std::string>& tokens);

/// Joins texts, adds values. `values` is empty or as long as `tokens`.
ValuedTokens merge_split_characters(const std::vector<std::string>& tokens, const std::vector<double>& values);

}  // namespace assay::report
