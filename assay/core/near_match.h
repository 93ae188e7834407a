// "Did you mean": the nearest known names to an unknown one, by edit distance (Damerau-Levenshtein, optimal string
// alignment), case ignored. O(len² · names), for error messages only.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// Up to `count` of `known`, nearest first; empty when nothing is near (more than half of the letters differ).
std::vector<std::string> nearest_names(std::string_view unknown, std::span<const std::string> known, size_t count = 3);

/// `; closest: "a", "b"` or nothing: appended to a message after what was found.
std::string closest_clause(std::string_view unknown, std::span<const std::string> known);

}  // namespace assay
