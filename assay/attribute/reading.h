// How the model read a text: the log-probability of each token given everything before it, and what else it might have
// said. One forward pass.
#pragma once

#include <cstdint>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/nn/model.h"

namespace assay::attribute {

struct TokenReading {
  int32_t id = 0;
  double log_probability = 0;  ///< nats; 0 for the first token, before which there is nothing
  struct Alternative {
    int32_t id = 0;
    double probability = 0;
  };
  std::vector<Alternative> alternatives;  ///< likeliest first, the token itself among them; none for the first token
};

/// One entry a token of the example, which must be text. `alternatives`: how many are kept, beside the token itself.
/// `usable_vocabulary`: ids at and beyond it are no tokens (padded vocabularies) and not among them; 0: all are.
/// Probabilities are those of the model's whole vocabulary, as its loss is.
std::vector<TokenReading> read_tokens(const nn::Model& model, const data::Example& example, int64_t alternatives,
                                      int64_t usable_vocabulary = 0);

}  // namespace assay::attribute
