// A Llama of a few thousand parameters with a word-level tokenizer, in the Hugging Face layout: for commands that need
// a model but no particular one.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "assay/data/tokenizer.h"
#include "assay/nn/checkpoint.h"
#include "assay/nn/model.h"

namespace assay {

inline nlohmann::json tiny_config() {
  return {{"model_type", "llama"},         {"hidden_size", 16},           {"num_attention_heads", 2},
          {"num_hidden_layers", 2},        {"intermediate_size", 24},     {"vocab_size", 8},
          {"max_position_embeddings", 16}, {"tie_word_embeddings", true}, {"rms_norm_eps", 1e-5}};
}

/// vocabulary: rows of the embedding, more than the tokenizer's eight where it is padded.
inline void write_tiny_model(const std::string& folder, uint64_t seed = 1, int vocabulary = 8) {
  nlohmann::json config = tiny_config();
  config["vocab_size"] = vocabulary;
  const nn::Model model = nn::initialize(nn::make_architecture(config), seed);
  nn::save_checkpoint(model, folder);
  data::save_tokenizer(data::word_level_tokenizer({"<unk>", "the", "cat", "dog", "sat", "on", "mat", "ran"}, "<unk>"),
                       folder);
}

/// `documents` documents that fill the model's context, by a fixed rule.
inline std::string tiny_corpus_of(int documents) {
  const std::vector<std::string> words{"the", "cat", "dog", "sat", "on", "mat", "ran"};
  std::string text;
  for (int i = 0; i < documents; ++i) {
    for (int j = 0; j < 16; ++j) text += words[static_cast<size_t>((i * 31 + j * j * 7 + i * j) % 7)] + " ";
    text += "<|endoftext|>";
  }
  return text;
}

inline const char* tiny_corpus() {
  return "the cat sat on the mat<|endoftext|>the dog ran<|endoftext|>\n\n<|endoftext|>the dog sat on the cat";
}

}  // namespace assay
