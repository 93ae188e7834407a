// GPT-Neo (Black et al. 2021), the family of the TinyStories models: as GPT-2, but scores are not scaled, queries, keys
// and values are three matrices without biases, and every other block sees a window of the last 256 tokens.
#include <fmt/format.h>

#include "assay/core/twin.h"
#include "assay/nn/families/decoder_settings.h"
#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"

namespace assay::nn {

const DecoderNames kGptNeoNames{.prefix = "transformer.",
                                .embedding = "wte",
                                .positions = "wpe",
                                .block = "h.{}.",
                                .norm1 = "ln_1",
                                .qkv = nullptr,
                                .q = "attn.attention.q_proj",
                                .k = "attn.attention.k_proj",
                                .v = "attn.attention.v_proj",
                                .o = "attn.attention.out_proj",
                                .norm2 = "ln_2",
                                .gate = nullptr,
                                .up = "mlp.c_fc",
                                .down = "mlp.c_proj",
                                .final_norm = "ln_f",
                                .head = "lm_head"};

namespace {

// "attention_layers" lists a kind for each block; "attention_types" is the same shortened: [[["global","local"],6]].
std::vector<std::string> kinds_of_blocks(const io::JsonObject& config) {
  if (config.has("attention_layers")) return config.texts("attention_layers");
  const char* rule = "a list of [kinds, how often], as in [[[\"global\", \"local\"], 6]]";
  std::vector<std::string> kinds;
  const io::Json& types = config.value("attention_types");
  if (!types.is_array()) config.refuse("attention_types", rule);
  for (const io::Json& entry : types) {
    const bool fits = entry.is_array() && entry.size() == 2 && entry[0].is_array() && entry[1].is_number_integer() &&
                      entry[1].get<int64_t>() >= 1 && entry[1].get<int64_t>() <= kMostBlocks;
    if (!fits) config.refuse("attention_types", rule);
    for (int64_t i = 0; i < entry[1].get<int64_t>(); ++i) {
      for (const io::Json& kind : entry[0]) {
        if (!kind.is_string() || std::ssize(kinds) > kMostBlocks) config.refuse("attention_types", rule);
        kinds.push_back(kind.get<std::string>());
      }
    }
  }
  return kinds;
}

std::vector<int64_t> gpt_neo_windows(const io::JsonObject& config, int64_t blocks) {
  const char* key = config.has("attention_layers") ? "attention_layers" : "attention_types";
  const int64_t window = config.positive_or("window_size", 256, kMostPositions);
  const std::vector<std::string> kinds = kinds_of_blocks(config);
  if (std::ssize(kinds) != blocks)
    config.refuse(key, fmt::format("such that {} blocks have a kind, and {} have", blocks, kinds.size()));
  std::vector<int64_t> windows;
  for (const std::string& kind : kinds) {
    if (kind != "global" && kind != "local") config.refuse(key, "made of \"global\" and \"local\"");
    windows.push_back(kind == "local" ? window : 0);
  }
  return windows;
}

/// The TinyStories models (Eldan & Li, arXiv 2305.07759) state GPT-Neo's 2048 positions and were trained on texts of
/// 512 tokens. GPT-Neo's own have its vocabulary, context and window, too, but 12 blocks or more.
bool is_of_tiny_stories(const io::JsonObject& config, const Facts& facts) {
  return facts.context == 2048 && facts.vocabulary == 50257 && facts.blocks <= 8 &&
         config.positive_or("window_size", 256) == 256 && !ASSAY_TWIN("nn.tiny_stories_unknown");
}

}  // namespace

std::shared_ptr<const Architecture> make_gpt_neo(const io::JsonObject& config) {
  DecoderSpec spec;
  spec.family = "gpt_neo";
  spec.config = config.json();
  spec.names = &kGptNeoNames;
  Facts& facts = spec.facts;
  read_heads(config, "hidden_size", "num_heads", facts);
  facts.blocks = config.positive("num_layers", kMostBlocks);
  facts.mlp_width = config.positive_or("intermediate_size", 4 * facts.width, kMostWidth);
  facts.vocabulary = config.positive("vocab_size", kMostWidth);
  facts.context = config.positive_or("max_position_embeddings", 2048, kMostPositions);
  if (is_of_tiny_stories(config, facts)) facts.trained = 512;
  facts.head_is_tied = config.boolean_or("tie_word_embeddings", true);
  spec.norm = NormKind::LayerNorm;
  spec.epsilon = config.positive_real_or("layer_norm_epsilon", 1e-5);
  spec.activation = activation_named(config, "activation_function", "gelu_new");
  spec.output_bias = spec.mlp_bias = true;
  spec.has_learned_positions = true;
  spec.score_scales.assign(static_cast<size_t>(facts.blocks), 1.0);
  spec.windows = gpt_neo_windows(config, facts.blocks);
  spec.deviation = config.real_or("initializer_range", 0.02);
  return make_decoder(std::move(spec));
}

}  // namespace assay::nn
