// Which documents the trust check steps on (assay/train/tail_patch.h): a query's strongest, against random ones that
// are not among them. Of a small corpus the strongest are at most a quarter: a comparison needs the other side.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "assay/train/tail_patch.h"

namespace assay::attribute {

struct TrustCounts {
  int64_t top = 0;     ///< ten, or a quarter of the documents where that is less, but at least one
  int64_t random = 0;  ///< thirty, or all others; none where there is one document only
};
/// Of each query, for a corpus of so many documents.
TrustCounts trust_counts(int64_t documents);

/// For the first `queries` rows of `scores` [Q,N]. Random documents are the same for all queries and nobody's top ones
/// where the corpus has enough of those; else each query draws its own from those that are not its top ones. With
/// `among` (ascending) the top ones are of those rows.
std::vector<train::TailPatchRequest> trust_requests(const at::Tensor& scores, int64_t queries, uint64_t seed,
                                                    std::span<const int64_t> among = {});

/// For gradients of queries, of what a method may hold (Inputs::memory_bytes): never more than the check's own default.
int64_t trust_memory_bytes(int64_t memory_bytes);

/// A sentence where the check says little or nothing, because there are too few documents; else none.
std::vector<std::string> trust_warnings(int64_t documents, const std::vector<train::TailPatchComparison>& comparisons);

}  // namespace assay::attribute
