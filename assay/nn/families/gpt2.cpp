// GPT-2 (Radford et al. 2019): learned positions, LayerNorm, biases everywhere, one matrix for queries, keys and
// values, GELU in its tanh form, a head tied to the embedding. Weights of layers lie as [I,O], what their authors call
// Conv1D.
#include <cmath>

#include "assay/nn/families/decoder_settings.h"
#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"

namespace assay::nn {

const DecoderNames kGpt2Names{.prefix = "transformer.",
                              .embedding = "wte",
                              .positions = "wpe",
                              .block = "h.{}.",
                              .norm1 = "ln_1",
                              .qkv = "attn.c_attn",
                              .q = nullptr,
                              .k = nullptr,
                              .v = nullptr,
                              .o = "attn.c_proj",
                              .norm2 = "ln_2",
                              .gate = nullptr,
                              .up = "mlp.c_fc",
                              .down = "mlp.c_proj",
                              .final_norm = "ln_f",
                              .head = "lm_head"};

std::shared_ptr<const Architecture> make_gpt2(const io::JsonObject& config) {
  if (config.boolean_or("add_cross_attention", false))
    config.refuse("add_cross_attention", "false: a model that reads another's states is not supported",
                  "take a model that reads texts alone");
  DecoderSpec spec;
  spec.family = "gpt2";
  spec.config = config.json();
  spec.names = &kGpt2Names;
  Facts& facts = spec.facts;
  read_heads(config, "n_embd", "n_head", facts);
  facts.blocks = config.positive("n_layer", kMostBlocks);
  facts.mlp_width = config.positive_or("n_inner", 4 * facts.width, kMostWidth);
  facts.vocabulary = config.positive("vocab_size", kMostWidth);
  facts.context = config.has("n_positions") ? config.positive("n_positions", kMostPositions)
                                            : config.positive_or("n_ctx", 1024, kMostPositions);
  facts.head_is_tied = config.boolean_or("tie_word_embeddings", true);
  spec.norm = NormKind::LayerNorm;
  spec.epsilon = config.positive_real_or("layer_norm_epsilon", 1e-5);
  spec.activation = activation_named(config, "activation_function", "gelu_new");
  spec.qkv = QkvForm::Stacked;
  spec.is_transposed = true;
  spec.qkv_bias = spec.output_bias = spec.mlp_bias = true;
  spec.has_learned_positions = true;
  const bool scaled = config.boolean_or("scale_attn_weights", true);
  const bool by_block = config.boolean_or("scale_attn_by_inverse_layer_idx", false);
  for (int64_t l = 0; l < facts.blocks; ++l) {
    const double scale = scaled ? 1 / std::sqrt(static_cast<double>(facts.head_width)) : 1;
    spec.score_scales.push_back(by_block ? scale / static_cast<double>(l + 1) : scale);
  }
  spec.deviation = config.real_or("initializer_range", 0.02);
  return make_decoder(std::move(spec));
}

}  // namespace assay::nn
