// Folding: the same function of the text in weights that are easier to read. Every step gives a new model, never
// changes the given one, and leaves the log-probabilities of all tokens as they are, up to rounding. Checkpoints are
// never folded when they are loaded: layers stay the matrices of the file, as gradients and Kronecker factors need
// them.
//
//   Model plain = center_unembedding(center_writing_weights(fold_norms(model)));
//
// A head that is tied to the embedding gets a weight of its own, since the two are no longer equal. Each step costs one
// copy of the matrices it changes; the others are shared. Error(Usage) for models without a residual stream and for
// matrices in bf16, which hold too few bits for the same function in other weights.
#pragma once

#include "assay/nn/model.h"

namespace assay::nn {

/// Norms with their weights w and biases b in what reads them: W (w∘n + b) = (W∘w) n + W b. Afterwards every
/// hook_normalized is the normalised stream itself. Where the layers behind a norm have no biases (the output head of
/// every family, queries, keys and values of GPT-Neo), b/w stays in the norm; so does what a weight of zero left.
Model fold_norms(const Model& model);

/// Whatever is written to the residual stream (embeddings, outputs of attention and MLP) without its mean over the D
/// numbers of a position. Error(Usage) where norms do not subtract that mean themselves (RMSNorm: Llama, Qwen2).
Model center_writing_weights(const Model& model);

/// The output head without its mean over the vocabulary: logits lose a number that all tokens of a position share.
Model center_unembedding(const Model& model);

}  // namespace assay::nn
