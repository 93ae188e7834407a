// What a reader looks at: for one query the documents at both ends of its ranking, with the scores of their tokens and
// the layers through which they act.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "assay/attribute/scorer.h"

namespace assay::attribute {

/// Rows by falling score, up to `count` of them; equal scores in the order of the corpus. With `only_positive` only
/// positive ones; with `among` (ascending) only those.
std::vector<int64_t> strongest_supporters(std::span<const double> scores, int64_t count, bool only_positive,
                                          std::span<const int64_t> among = {});
/// Rows by rising score, negative ones only.
std::vector<int64_t> strongest_opponents(std::span<const double> scores, int64_t count,
                                         std::span<const int64_t> among = {});

struct Shown {
  std::vector<int64_t> top, bottom;               ///< rows of the documents
  std::vector<std::vector<double>> token_scores;  ///< of top, then bottom: one a token of the text; empty without parts
  std::vector<double> layer_scores;  ///< of the top documents together, by tracked layer; empty without parts
};

/// The ends of several queries' rankings, in the order of `queries` (rows of `scores` [Q,N]), up to `count` documents
/// either. A position's score stands at the token that it predicts, so that the first token has none. For methods that
/// have parts it costs one walk over all documents shown, for all these queries together. Exact up to rounding: batches
/// are others than those of the walk that scored. With `among` (ascending) no other rows are shown.
std::vector<Shown> shown_documents(const Scorer& scorer, const Documents& documents, const at::Tensor& scores,
                                   std::span<const int64_t> queries, int64_t count, Progress& progress,
                                   std::span<const int64_t> among = {});
/// One query's alone.
Shown shown_documents(const Scorer& scorer, const Documents& documents, const at::Tensor& scores, int64_t query,
                      int64_t count, Progress& progress);

/// `count` different rows below `total`, drawn by seed, in rising order, none of `excluded`.
std::vector<int64_t> random_rows(int64_t total, int64_t count, std::span<const int64_t> excluded, uint64_t seed);

}  // namespace assay::attribute
