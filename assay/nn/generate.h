// Text from a model: token by token with a key-value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "assay/core/plan.h"
#include "assay/nn/model.h"

namespace assay::nn {

struct GenerateOptions {
  int64_t max_tokens = 64;
  double temperature = 0;          ///< 0: greedy (the lowest id among equals)
  int64_t top_k = 0;               ///< 0: all
  double top_p = 1;                ///< smallest set of tokens with at least this probability
  uint64_t seed = 0;               ///< Philox, keyed (seed, prompt, position)
  std::vector<int32_t> stop = {};  ///< ids that end the text and are not returned
  int64_t usable_vocabulary = 0;   ///< ids at and beyond this are never chosen (padded vocabularies); 0: all
};

/// Throws Error(Usage) when a prompt of this many tokens and `max_tokens` new ones do not fit the model's context.
void require_fits(const Model& model, int64_t prompt_tokens, int64_t max_tokens);

/// What generate will cost at most, the end token never being drawn. Two operations a weight and token (attention over
/// the context is left out: it is small beside the weights in models that fit a processor); every new token reads all
/// weights once, the prompt reads them once together; some forty operator calls a block and run. The weights are in
/// memory already and count in the peak with everything else that the process holds.
Cost generation_cost(const Model& model, int64_t prompt_tokens, int64_t max_tokens);

/// Continues `prompt` [T >= 1]. `on_token` (may be empty) sees each token as it comes; returning false stops.
/// Errors: those of require_fits; Numeric where logits are not finite.
std::vector<int32_t> generate(const Model& model, std::span<const int32_t> prompt, const GenerateOptions& options,
                              const std::function<bool(int32_t)>& on_token = {});

/// Continues several prompts together, each as if it were alone: shorter ones are padded on the left, so that the next
/// token of each is the next column. What a prompt gives does not depend on its company beyond rounding; prompts other
/// than the first draw from streams of their own.
std::vector<std::vector<int32_t>> generate_all(const Model& model, const std::vector<std::vector<int32_t>>& prompts,
                                               const GenerateOptions& options,
                                               const std::function<bool(size_t prompt, int32_t token)>& on_token = {});

}  // namespace assay::nn
