// GPT-NeoX (Black et al., arXiv 2204.06745), the family of the Pythia models: attention and MLP of a block read the
// same stream, rotary positions turn a quarter of each head, one matrix for queries, keys and values with its rows head
// by head, GELU in its exact form, a head of its own.
#include <fmt/format.h>

#include "assay/nn/families/decoder_settings.h"
#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"

namespace assay::nn {

const DecoderNames kGptNeoxNames{.prefix = "gpt_neox.",
                                 .embedding = "embed_in",
                                 .positions = nullptr,
                                 .block = "layers.{}.",
                                 .norm1 = "input_layernorm",
                                 .qkv = "attention.query_key_value",
                                 .q = nullptr,
                                 .k = nullptr,
                                 .v = nullptr,
                                 .o = "attention.dense",
                                 .norm2 = "post_attention_layernorm",
                                 .gate = nullptr,
                                 .up = "mlp.dense_h_to_4h",
                                 .down = "mlp.dense_4h_to_h",
                                 .final_norm = "final_layer_norm",
                                 .head = "embed_out"};

namespace {

/// Numbers of a head that are turned. Newer configurations nest the share in rope_parameters.
int64_t rotary_width(const io::JsonObject& config, int64_t head_width) {
  std::string key = "rotary_pct";
  double share = config.real_or("rotary_pct", 0.25);
  if (config.has("rope_parameters") && config.object("rope_parameters").has("partial_rotary_factor")) {
    key = "rope_parameters";
    share = config.object("rope_parameters").real("partial_rotary_factor");
  }
  const bool is_share = share > 0 && share <= 1;
  const auto width = static_cast<int64_t>(is_share ? static_cast<double>(head_width) * share : 0);
  if (width < 2 || width % 2 != 0)
    config.refuse(key,
                  fmt::format("a share in (0, 1] of the {} numbers of a head that is even and not zero", head_width));
  return width;
}

}  // namespace

std::shared_ptr<const Architecture> make_gpt_neox(const io::JsonObject& config) {
  DecoderSpec spec;
  spec.family = "gpt_neox";
  spec.config = config.json();
  spec.names = &kGptNeoxNames;
  Facts& facts = spec.facts;
  read_heads(config, "hidden_size", "num_attention_heads", facts);
  facts.blocks = config.positive("num_hidden_layers", kMostBlocks);
  facts.mlp_width = config.positive("intermediate_size", kMostWidth);
  facts.vocabulary = config.positive("vocab_size", kMostWidth);
  facts.context = config.positive_or("max_position_embeddings", 2048, kMostPositions);
  facts.head_is_tied = config.boolean_or("tie_word_embeddings", false);
  spec.norm = NormKind::LayerNorm;
  spec.epsilon = config.positive_real_or("layer_norm_eps", 1e-5);
  spec.activation = activation_named(config, "hidden_act", "gelu");
  spec.is_parallel = config.boolean_or("use_parallel_residual", true);
  spec.qkv = QkvForm::ByHead;
  spec.qkv_bias = spec.output_bias = config.boolean_or("attention_bias", true);
  spec.mlp_bias = true;
  spec.rotary_frequencies = rotary_frequencies_of(config, rotary_width(config, facts.head_width), "rotary_emb_base");
  spec.deviation = config.real_or("initializer_range", 0.02);
  return make_decoder(std::move(spec));
}

}  // namespace assay::nn
