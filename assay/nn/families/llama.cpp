// Llama (Touvron et al., arXiv 2302.13971): pre-norm blocks with RMSNorm, rotary positions over the whole head (scaled
// in Llama 3.1 and later, arXiv 2407.21783), grouped queries (arXiv 2305.13245) and a gated MLP down(silu(gate x) · up
// x). Weights and names as in the Hugging Face layout.
#include <fmt/format.h>

#include "assay/nn/families/decoder_settings.h"
#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"

namespace assay::nn {

const DecoderNames kLlamaNames{.prefix = "model.",
                               .embedding = "embed_tokens",
                               .positions = nullptr,
                               .block = "layers.{}.",
                               .norm1 = "input_layernorm",
                               .qkv = nullptr,
                               .q = "self_attn.q_proj",
                               .k = "self_attn.k_proj",
                               .v = "self_attn.v_proj",
                               .o = "self_attn.o_proj",
                               .norm2 = "post_attention_layernorm",
                               .gate = "mlp.gate_proj",
                               .up = "mlp.up_proj",
                               .down = "mlp.down_proj",
                               .final_norm = "norm",
                               .head = "lm_head"};

DecoderSpec llama_spec(const io::JsonObject& config, const std::string& family) {
  if (config.text_or("hidden_act", "silu") != "silu")
    config.refuse("hidden_act", "silu, the activation of this family's gated MLP", "take a model with that");
  DecoderSpec spec;
  spec.family = family;
  spec.config = config.json();
  spec.names = &kLlamaNames;
  Facts& facts = spec.facts;
  facts.width = config.positive("hidden_size", kMostWidth);
  facts.heads = config.positive("num_attention_heads", kMostWidth);
  facts.key_value_heads = config.positive_or("num_key_value_heads", facts.heads, kMostWidth);
  facts.blocks = config.positive("num_hidden_layers", kMostBlocks);
  facts.mlp_width = config.positive("intermediate_size", kMostWidth);
  facts.vocabulary = config.positive("vocab_size", kMostWidth);
  facts.context = config.positive_or("max_position_embeddings", 2048, kMostPositions);
  facts.head_is_tied = config.boolean_or("tie_word_embeddings", false);
  if (!config.has("head_dim") && facts.width % facts.heads != 0)
    config.refuse("hidden_size", fmt::format("a multiple of the {} heads", facts.heads));
  facts.head_width = config.positive_or("head_dim", facts.width / facts.heads, kMostWidth);
  if (facts.head_width % 2 != 0)
    config.refuse(config.has("head_dim") ? "head_dim" : "hidden_size",
                  "such that a head has an even width, which rotary positions need");
  if (facts.heads % facts.key_value_heads != 0)
    config.refuse("num_key_value_heads", fmt::format("a divisor of the {} heads", facts.heads));
  spec.epsilon = config.positive_real_or("rms_norm_eps", 1e-6);
  spec.rotary_frequencies = rotary_frequencies_of(config, facts.head_width);
  spec.deviation = config.real_or("initializer_range", 0.02);
  return spec;
}

std::shared_ptr<const Architecture> make_llama(const io::JsonObject& config) {
  DecoderSpec spec = llama_spec(config, "llama");
  spec.qkv_bias = spec.output_bias = config.boolean_or("attention_bias", false);
  spec.mlp_bias = config.boolean_or("mlp_bias", false);
  return make_decoder(std::move(spec));
}

}  // namespace assay::nn
