#include "assay/report/split_characters.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "assay/core/error.h"
#include "assay/report/escape.h"

namespace assay::report {
namespace {

/// Where in `bytes` each character that is cut by a token's end begins and ends is decided by reading the text once, as
/// a whole: a character that lies in several tokens joins them.
struct Span {
  std::size_t begin;
  std::size_t end;
};

std::vector<Span> spans_of_wide_characters(std::string_view text) {
  std::vector<Span> spans;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    const auto bytes = static_cast<std::size_t>(c.bytes);
    if (bytes > 1) spans.push_back({at, at + bytes});
    at += bytes;
  }
  return spans;
}

}  // namespace

std::vector<std::size_t> display_groups(const std::vector<std::string>& tokens) {
  std::string text;
  std::vector<std::size_t> begins;
  for (const std::string& token : tokens) {
    begins.push_back(text.size());
    text += token;
  }
  const std::vector<Span> spans = spans_of_wide_characters(text);
  std::vector<std::size_t> groups(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    groups[i] = i;
    if (i == 0) continue;
    const auto after = std::upper_bound(spans.begin(), spans.end(), begins[i],
                                        [](std::size_t at, const Span& span) { return at < span.end; });
    if (after != spans.end() && after->begin < begins[i]) groups[i] = groups[i - 1];
  }
  return groups;
}

ValuedTokens merge_split_characters(const std::vector<std::string>& tokens, const std::vector<double>& values) {
  ASSAY_ASSERT(values.empty() || values.size() == tokens.size());
  const std::vector<std::size_t> groups = display_groups(tokens);
  ValuedTokens out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (groups[i] == i) {
      out.tokens.push_back(tokens[i]);
      if (!values.empty()) out.values.push_back(values[i]);
    } else {
      out.tokens.back() += tokens[i];
      if (!values.empty()) out.values.back() += values[i];
    }
  }
  return out;
}

}  // namespace assay::report
