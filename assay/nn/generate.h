// Text from a model: token by token with a key-value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "assay/nn/model.h"

namespace assay::nn {

struct GenerateOptions {
  int64_t max_tokens = 64;
  double temperature = 0;          ///< 0: greedy (the lowest id among equals)
  int64_t top_k = 0;               ///< 0: all
  double top_p = 1;                ///< smallest set of tokens with at least this probability
  uint64_t seed = 0;               ///< Philox, keyed (seed, position)
  std::vector<int32_t> stop = {};  ///< ids that end the text and are not returned
  int64_t usable_vocabulary = 0;   ///< ids at and beyond this are never chosen (padded vocabularies); 0: all
};

/// Continues `prompt` [T >= 1]. `on_token` (may be empty) sees each token as it comes; returning false stops.
/// Throws Error(Usage) when prompt and max_tokens do not fit the model's context.
std::vector<int32_t> generate(const Model& model, std::span<const int32_t> prompt, const GenerateOptions& options,
                              const std::function<bool(int32_t)>& on_token = {});

}  // namespace assay::nn
