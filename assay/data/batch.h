// A Batch: some examples of a Dataset as padded tensors, with targets, masks and ids.
//
// A text of n tokens has n - 1 positions: position t reads token t and predicts token t + 1, so the last token is only
// a target. Arrays have one position. Padding stands on the right, or on the left where all texts must end together
// (what is generated next is then the next column); nothing that is masked ever counts.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "assay/data/dataset.h"

namespace assay::data {

struct Batch {
  std::vector<ExampleId> ids;  ///< [B]
  std::vector<int64_t> rows;   ///< [B] places in the dataset
  at::Tensor tokens;           ///< text: [B,T] int64
  at::Tensor features;         ///< arrays: [B,D]
  at::Tensor targets;          ///< text: [B,T] int64, the next token; classes: [B,1] int64; 0 where not counted
  at::Tensor values;           ///< regression: [B,1,K]
  at::Tensor mask;             ///< [B,T] bool: a real position, not padding
  at::Tensor counted;          ///< [B,T] bool: a position whose target counts in losses and measurements
  bool is_padded = false;      ///< whether any position is padding
  at::Tensor first;            ///< [B] int64: the first real position; undefined where no padding stands on the left

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  int64_t positions() const { return mask.size(1); }  ///< T
  bool is_text() const { return tokens.defined(); }
};

enum class PaddingSide { Right, Left };

/// The examples `rows` of `dataset`, padded to the longest of them or to `positions` if that is more.
/// `dtype` is the type of features and values (float32 or float64).
Batch make_batch(const Dataset& dataset, std::span<const int64_t> rows, at::ScalarType dtype = at::kFloat,
                 int64_t positions = 0, PaddingSide side = PaddingSide::Right);

/// One text with every token a position and no target: for recording, inspecting and generating. tokens: [T].
Batch prompt_batch(std::span<const int32_t> tokens);

/// Several such texts, padded on the left to the longest: [B][T_b], none empty.
Batch prompt_batch(const std::vector<std::vector<int32_t>>& texts);

}  // namespace assay::data
