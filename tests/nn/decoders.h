// A small model of each text family, with weights that make mistakes show: pre-activations spread by about 1.5 and
// logits by about 3, norms uneven, biases not zero.
#pragma once

#include <map>
#include <string>

#include "tests/nn/models.h"

namespace assay::nn {

inline nlohmann::json decoder_config(const std::string& name) {
  const nlohmann::json gated{{"hidden_size", 32},
                             {"intermediate_size", 48},
                             {"num_hidden_layers", 2},
                             {"vocab_size", 29},
                             {"num_attention_heads", 4},
                             {"num_key_value_heads", 2},
                             {"max_position_embeddings", 64},
                             {"rms_norm_eps", 1e-5},
                             {"rope_theta", 10000.0},
                             {"tie_word_embeddings", false},
                             {"initializer_range", 0.3}};
  const auto with = [](nlohmann::json config, const nlohmann::json& more) {
    config.update(more);
    return config;
  };
  if (name == "llama") return with(gated, {{"model_type", "llama"}});
  if (name == "llama, tied") return with(gated, {{"model_type", "llama"}, {"tie_word_embeddings", true}});
  if (name == "llama, biased") return with(gated, {{"model_type", "llama"}, {"attention_bias", true}});
  if (name == "llama 3") {
    // Of the four frequencies 1, 0.1, 0.01, 0.001 the wavelengths are 6, 63, 628, 6283: with 256 positions and the
    // factors 1 and 4 the first is kept, the second lies between, the others are divided.
    return with(gated, {{"model_type", "llama"},
                        {"rope_scaling",
                         {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 192}}}});
  }
  if (name == "llama, linear")
    return with(gated, {{"model_type", "llama"},
                        {"rope_scaling", {{"type", "linear"}, {"factor", 4.0}, {"rope_type", "linear"}}}});
  if (name == "qwen2") return with(gated, {{"model_type", "qwen2"}});
  if (name == "qwen2, windows") {
    return with(
        gated,
        {{"model_type", "qwen2"}, {"use_sliding_window", true}, {"sliding_window", 5}, {"max_window_layers", 1}});
  }
  const nlohmann::json gpt2{{"model_type", "gpt2"},
                            {"n_embd", 32},
                            {"n_head", 4},
                            {"n_layer", 2},
                            {"n_positions", 64},
                            {"vocab_size", 29},
                            {"layer_norm_epsilon", 1e-5},
                            {"initializer_range", 0.3}};
  if (name == "gpt2") return gpt2;
  if (name == "gpt2, scaled by block") return with(gpt2, {{"scale_attn_by_inverse_layer_idx", true}});
  if (name == "gpt_neo") {
    return {{"model_type", "gpt_neo"},
            {"hidden_size", 32},
            {"num_heads", 4},
            {"num_layers", 2},
            {"intermediate_size", nullptr},
            {"window_size", 5},
            {"attention_types", {{{"global", "local"}, 1}}},
            {"max_position_embeddings", 64},
            {"vocab_size", 29},
            {"layer_norm_epsilon", 1e-5},
            {"initializer_range", 0.25}};  // scores are not scaled: with more every pattern is one key
  }
  const nlohmann::json neox{{"model_type", "gpt_neox"},
                            {"hidden_size", 32},
                            {"num_attention_heads", 4},
                            {"num_hidden_layers", 2},
                            {"intermediate_size", 64},
                            {"max_position_embeddings", 64},
                            {"vocab_size", 29},
                            {"layer_norm_eps", 1e-5},
                            {"rotary_pct", 0.5},
                            {"rotary_emb_base", 10000.0},
                            {"use_parallel_residual", true},
                            {"initializer_range", 0.3}};
  if (name == "gpt_neox") return neox;
  if (name == "gpt_neox, sequential") return with(neox, {{"use_parallel_residual", false}});
  return {};
}

inline Model tiny_decoder(const std::string& name, at::ScalarType dtype = at::kDouble) {
  const Model fresh = initialize(make_architecture(decoder_config(name)), 7, at::kDouble);
  Model model = fresh.with(fresh.parameters().clone());
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    at::Tensor& tensor = model.parameters()[i];
    if (tensor.dim() != 1) continue;
    const bool bias = model.parameters().name(i).ends_with(".bias");
    for (int64_t j = 0; j < tensor.numel(); ++j) {
      const auto place = static_cast<uint64_t>(j);
      tensor[j].fill_(bias ? 0.3 * random_normal(5, i, place) : 0.5 + random_uniform(5, i, place));
    }
  }
  return model.with(model.parameters().to(dtype));
}

/// One of each: what every contract between sites is checked on.
/// All that tiny_decoder knows.
inline const std::vector<std::string>& decoder_variants() {
  static const std::vector<std::string> names{
      "llama",          "llama, tied", "llama, biased",         "llama 3", "llama, linear", "qwen2",
      "qwen2, windows", "gpt2",        "gpt2, scaled by block", "gpt_neo", "gpt_neox",      "gpt_neox, sequential"};
  return names;
}
/// The name of a variant as that of a test.
inline constexpr auto kNameOfVariant = [](const auto& variant) {
  std::string name = variant.param;
  std::erase_if(name, [](char c) { return c == ',' || c == ' '; });
  return name;
};

inline const std::vector<std::string>& decoder_names() {
  static const std::vector<std::string> names{"llama", "qwen2, windows", "gpt2", "gpt_neo", "gpt_neox"};
  return names;
}

}  // namespace assay::nn
