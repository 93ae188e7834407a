#include "assay/nn/llama_gguf.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/nn/limits.h"

namespace assay::nn {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 9> kMatrices{{{"input_layernorm", "attn_norm"},
                                                                        {"post_attention_layernorm", "ffn_norm"},
                                                                        {"self_attn.q_proj", "attn_q"},
                                                                        {"self_attn.k_proj", "attn_k"},
                                                                        {"self_attn.v_proj", "attn_v"},
                                                                        {"self_attn.o_proj", "attn_output"},
                                                                        {"mlp.gate_proj", "ffn_gate"},
                                                                        {"mlp.up_proj", "ffn_up"},
                                                                        {"mlp.down_proj", "ffn_down"}}};

/// A file without a tokenizer may still state its size.
int64_t vocabulary_of(const io::GgufMetadata& metadata) {
  if (metadata.has("llama.vocab_size")) return metadata.positive("llama.vocab_size", kMostWidth);
  return static_cast<int64_t>(metadata.texts("tokenizer.ggml.tokens").size());
}

/// Values are as wide as keys, and rotary positions turn a head from end to end: what the Llama family has.
int64_t head_width_of(const io::GgufMetadata& metadata, int64_t width, int64_t heads) {
  const char *key = "llama.attention.key_length", *value = "llama.attention.value_length",
             *turned = "llama.rope.dimension_count";
  if (!metadata.has(key) && width % heads != 0)
    metadata.refuse("llama.embedding_length", fmt::format("a multiple of the {} heads", heads));
  const int64_t head_width = metadata.positive_or(key, width / heads, kMostWidth);
  if (head_width % 2 != 0) {
    metadata.refuse(
        metadata.has(key) ? key : "llama.embedding_length",
        fmt::format("such that each of the {} heads has an even width, which rotary positions need", heads));
  }
  if (metadata.positive_or(value, head_width) != head_width)
    metadata.refuse(value, fmt::format("{}, the width of the keys", head_width));
  if (metadata.positive_or(turned, head_width) != head_width)
    metadata.refuse(
        turned, fmt::format("{}, the width of a head: positions that turn a part of it are not supported", head_width));
  return head_width;
}

}  // namespace

nlohmann::json config_of_gguf(const io::Gguf& file) {
  const io::GgufMetadata& metadata = file.metadata();
  if (metadata.text("general.architecture") != "llama")
    metadata.refuse("general.architecture", "llama, the only one that Assay reads from GGUF");
  if (metadata.has("llama.rope.scaling.type") && metadata.text("llama.rope.scaling.type") != "none") {
    metadata.refuse("llama.rope.scaling.type", "absent or none: scaled rotary positions are not supported");
  }
  const int64_t heads = metadata.positive("llama.attention.head_count", kMostWidth);
  const int64_t width = metadata.positive("llama.embedding_length", kMostWidth);
  const int64_t key_value_heads = metadata.positive_or("llama.attention.head_count_kv", heads);
  if (heads % key_value_heads != 0)
    metadata.refuse("llama.attention.head_count_kv", fmt::format("a divisor of the {} heads", heads));
  const int64_t head_width = head_width_of(metadata, width, heads);
  return {{"model_type", "llama"},
          {"architectures", {"LlamaForCausalLM"}},
          {"hidden_size", width},
          {"intermediate_size", metadata.positive("llama.feed_forward_length", kMostWidth)},
          {"num_hidden_layers", metadata.positive("llama.block_count", kMostBlocks)},
          {"num_attention_heads", heads},
          {"num_key_value_heads", key_value_heads},
          {"head_dim", head_width},
          {"max_position_embeddings", metadata.positive("llama.context_length", kMostPositions)},
          {"rms_norm_eps", metadata.positive_real("llama.attention.layer_norm_rms_epsilon")},
          {"rope_theta", metadata.positive_real_or("llama.rope.freq_base", 10000.0)},
          {"vocab_size", vocabulary_of(metadata)},
          {"tie_word_embeddings", !file.tensors().contains("output.weight")},
          {"hidden_act", "silu"}};
}

std::string gguf_name(const std::string& parameter) {
  if (parameter == "model.embed_tokens.weight") return "token_embd.weight";
  if (parameter == "model.norm.weight") return "output_norm.weight";
  if (parameter == "lm_head.weight") return "output.weight";
  const std::string prefix = "model.layers.";
  ASSAY_ASSERT(parameter.starts_with(prefix));
  const size_t dot = parameter.find('.', prefix.size()), suffix = parameter.rfind('.');
  const std::string matrix = parameter.substr(dot + 1, suffix - dot - 1);
  for (const auto& [ours, theirs] : kMatrices) {
    if (matrix == ours)
      return "blk." + parameter.substr(prefix.size(), dot - prefix.size()) + "." + theirs + parameter.substr(suffix);
  }
  throw Error(ErrorKind::Internal, "reading GGUF: every weight of a Llama must have a GGUF name, and \"" + parameter +
                                       "\" has none; please report this");
}

at::Tensor rows_by_halves(const at::Tensor& weight, int64_t heads) {
  if (ASSAY_TWIN("nn.gguf_rows_not_permuted")) return weight;
  const int64_t half = weight.size(0) / heads / 2;
  return weight.view({heads, half, 2, -1}).transpose(1, 2).reshape(weight.sizes());
}

}  // namespace assay::nn
