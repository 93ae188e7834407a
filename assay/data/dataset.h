// A dataset is a list of examples with stable ids: token sequences, or arrays with a class or regression targets. An id
// is a hash of the content and of its occurrence, so that it survives reordering and leaving others out, while two
// identical texts remain two examples. Everything random about an example is keyed by its id.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace assay::data {

using ExampleId = uint64_t;

struct Example {
  ExampleId id = 0;
  std::vector<int32_t> tokens;  ///< text: [T] token ids, BOS included where the policy says so
  int32_t first_counted = 1;    ///< text: tokens before this position are context, their loss does not count (>= 1)
  std::vector<float> features;  ///< arrays: [D]
  int32_t label = -1;           ///< arrays: the class, -1 where there is none
  std::vector<float> values;    ///< arrays: regression targets [K]
};

struct Dataset {
  std::vector<Example> examples;

  int64_t size() const { return static_cast<int64_t>(examples.size()); }
  /// Tokens of all examples together.
  int64_t tokens() const;
  /// Tokens of the longest example; 0 where there is none.
  int64_t longest() const;
  /// 32 hex digits over the ids in their order: equal for equal examples in the same order.
  std::string content_hash() const;
};

/// Gives every example its id: the hash of its tokens (or arrays) and of how often the same content came before it.
void assign_ids(Dataset& dataset);

/// The examples at `indices`, in that order, with the ids they have.
Dataset subset(const Dataset& dataset, std::span<const int64_t> indices);

}  // namespace assay::data
