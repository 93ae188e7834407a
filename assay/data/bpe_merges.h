// Byte-pair encoding: the adjacent pair of lowest rank is merged, leftmost first, until no pair has a merge. Short
// pieces are scanned (n² steps over a few cache lines), long ones go through a heap over a linked list (n log n); both
// give the same tokens. Used by byte-level and SentencePiece tokenizers, which differ only in what they begin with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "assay/data/flat_table.h"

namespace assay::data {

struct BpeMerge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;
};

/// A token on its way, and where its text ends.
struct Symbol {
  int32_t id = 0;
  uint32_t end = 0;
};

class BpeMerges {
 public:
  /// `merges` by rank; where a pair stands twice the later rank counts, as in the reference implementation.
  explicit BpeMerges(std::span<const BpeMerge> merges);

  void apply(std::vector<Symbol>& symbols) const;

  /// The two ways to do it, apart for tests.
  void apply_by_scanning(std::vector<Symbol>& symbols) const;
  void apply_by_heap(std::vector<Symbol>& symbols) const;

 private:
  /// Rank of the merge of two tokens, or kNoRank.
  uint32_t rank(int32_t left, int32_t right) const;

  FlatTable ranks_;               // left, right → rank
  std::vector<int32_t> results_;  // by rank
};

}  // namespace assay::data
