// Sums of scores: several queries as one, several documents as one. Exact for influence, which is linear on both sides;
// for quotients (cosine, relatif) it is the sum of the members' quotients.
#pragma once

#include <span>

#include "assay/attribute/scorer.h"

namespace assay::attribute {

/// Names in the order in which they first stand, and for each entry the place of its name.
struct Groups {
  std::vector<std::string> names;
  std::vector<int64_t> group_of;
  std::vector<int64_t> sizes() const;  ///< members of each name
};
Groups group_by_name(std::span<const std::string> names);

/// One row in place of all: Q becomes 1.
Scores summed_over_queries(const Scores& scores);

/// Column g is the sum of the documents whose `group_of` is g, 0 <= g < groups. A group has no tokens, and its
/// influence on itself is no sum of its members' (their gradients have cross terms): both are dropped.
Scores summed_over_documents(const Scores& scores, std::span<const int64_t> group_of, int64_t groups);

}  // namespace assay::attribute
