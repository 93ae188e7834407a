// A dataset is a list of examples with stable ids: token sequences, or arrays with a class or regression targets. An id
// is a hash of the content and of its occurrence, so that it survives reordering and leaving others out, while two
// identical texts remain two examples. Everything random about an example is keyed by its id.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "assay/data/examples.h"

namespace assay::data {

struct Dataset {
  Examples examples;

  int64_t size() const { return static_cast<int64_t>(examples.size()); }
  /// What a row counts for in progress and plans: its tokens, or one.
  int64_t units(int64_t row) const {
    return std::max<int64_t>(1, std::ssize(examples[static_cast<size_t>(row)].tokens));
  }
  int64_t units(std::span<const int64_t> rows) const;
  ExampleId id(int64_t row) const { return examples[static_cast<size_t>(row)].id; }
  /// Tokens of all examples together.
  int64_t tokens() const;
  /// Tokens of the longest example; 0 where there is none.
  int64_t longest() const;
  /// 32 hex digits over the ids in their order: equal for equal examples in the same order.
  std::string content_hash() const;
};

/// 64 bits over what an example holds, without its id.
uint64_t content_of(const ExampleView& example);

/// Gives every example its id: the hash of its tokens (or arrays) and of how often the same content came before it.
void assign_ids(Dataset& dataset);

/// The examples at `indices`, in that order, with the ids they have.
Dataset subset(const Dataset& dataset, std::span<const int64_t> indices);

}  // namespace assay::data
