#include "assay/core/near_match.h"

#include <algorithm>
#include <cctype>
#include <numeric>

namespace assay {
namespace {

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0u : 1u)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view unknown, std::span<const std::string> known, size_t count) {
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& name : known) {
    const size_t distance = edit_distance(unknown, name);
    if (2 * distance <= std::max(unknown.size(), name.size())) ranked.emplace_back(distance, name);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> nearest;
  for (size_t i = 0; i < std::min(count, ranked.size()); ++i) nearest.push_back(ranked[i].second);
  return nearest;
}

std::string closest_clause(std::string_view unknown, std::span<const std::string> known) {
  std::string clause;
  for (const std::string& name : nearest_names(unknown, known))
    clause += (clause.empty() ? "; closest: \"" : ", \"") + name + "\"";
  return clause;
}

}  // namespace assay
