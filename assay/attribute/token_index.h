// Which documents share tokens with a question, before any gradient is taken: an inverted index over the tokens of a
// corpus and BM25 over it (bm25.h). The corpus goes by in segments of some four million tokens; each becomes one block,
// the postings of its tokens in order: which documents hold a token, and how often. A question reads the postings of
// its own tokens in every segment and keeps the best so far.
//
// Exact: the same scores as scoring every document. Building costs one sort of each segment (24 bytes a token of
// memory, for one segment at a time) and 8 bytes a distinct token of a document on disk; a question costs its postings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "assay/attribute/bm25.h"
#include "assay/core/progress.h"
#include "assay/curvature/workspace.h"
#include "assay/data/dataset.h"

namespace assay::attribute {

/// The index of a corpus in `workspace`: blocks that are there are kept, the others are made, so that a build that was
/// stopped goes on. The workspace's key must tell the corpus (index_key).
class TokenIndex {
 public:
  TokenIndex(const data::Dataset& corpus, curvature::Workspace workspace, Progress& progress);

  struct Found {
    int64_t row = 0;
    double score = 0;
  };
  /// For each question its `most` best documents, best first, equals in the order of the corpus; documents without any
  /// of its tokens are never among them.
  std::vector<std::vector<Found>> best(std::span<const Bm25::Terms> questions, int64_t most, double k1, double b) const;

 private:
  struct Segment;
  std::string block_of(size_t segment) const;
  Segment read(size_t segment) const;

  mutable curvature::Workspace workspace_;  // reading maps blocks
  size_t segments_ = 0;
  int64_t documents_ = 0;
  double tokens_ = 0;
};

/// What an index of this corpus is called in a cache.
std::string index_key(const data::Dataset& corpus);

}  // namespace assay::attribute
