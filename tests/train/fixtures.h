// Small models and data for the tests of training: all generated, so that nothing is read from disk.
#pragma once

#include <nlohmann/json.hpp>

#include "assay/core/philox.h"
#include "assay/data/dataset.h"
#include "assay/nn/model.h"

namespace assay::train {

/// N points of `features` normal numbers in `classes` classes, by the sign of their projections.
inline data::Dataset points(int64_t count, int64_t features = 3, int64_t classes = 2, uint64_t seed = 1) {
  data::Dataset dataset;
  for (int64_t i = 0; i < count; ++i) {
    data::Example example;
    for (int64_t k = 0; k < features; ++k) {
      const auto index = static_cast<uint64_t>(i * features + k);
      example.features.push_back(static_cast<float>(random_normal(seed, stream_of("points"), index)));
    }
    example.label =
        static_cast<int32_t>((example.features[0] > 0 ? 1 : 0) + (i % 7 == 0 ? 1 : 0)) % static_cast<int32_t>(classes);
    dataset.examples.push_back(example);
  }
  data::assign_ids(dataset);
  return dataset;
}

/// Points with targets of a linear function and noise.
inline data::Dataset regression_points(int64_t count, int64_t features, int64_t outputs, uint64_t seed = 2) {
  data::Dataset dataset = points(count, features, 2, seed);
  for (size_t i = 0; i < dataset.examples.size(); ++i) {
    data::Example& example = dataset.examples[i];
    example.label = -1;
    for (int64_t k = 0; k < outputs; ++k) {
      const double noise = random_normal(seed, stream_of("noise"), i * static_cast<size_t>(outputs + k));
      example.values.push_back(static_cast<float>(example.features[0] - 0.5 * static_cast<double>(k) + noise));
    }
  }
  data::assign_ids(dataset);
  return dataset;
}

/// Texts of 2 to 12 tokens in which a token is mostly followed by its successor.
inline data::Dataset sentences(int64_t count, int32_t vocabulary = 11, uint64_t seed = 3) {
  data::Dataset dataset;
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = [&](uint64_t index) { return random_bits(seed, static_cast<uint64_t>(i), index); };
    data::Example example;
    auto token = static_cast<int32_t>(bits(0) % static_cast<uint64_t>(vocabulary));
    const uint64_t length = 2 + bits(1) % 11;
    for (uint64_t t = 0; t < length; ++t) {
      example.tokens.push_back(token);
      const bool jumps = bits(2 + t) % 5 == 0;
      token = static_cast<int32_t>((static_cast<uint64_t>(token) + (jumps ? bits(20 + t) : 1)) %
                                   static_cast<uint64_t>(vocabulary));
    }
    dataset.examples.push_back(example);
  }
  data::assign_ids(dataset);
  return dataset;
}

inline nn::Model small_mlp(at::ScalarType dtype = at::kDouble) {
  const nlohmann::json config = {{"model_type", "mlp"}, {"features", 3}, {"hidden", {5}}, {"outputs", 2}};
  return nn::initialize(nn::make_architecture(config), 7, dtype);
}

inline nn::Model linear_regression(int64_t features, int64_t outputs) {
  const nlohmann::json config = {{"model_type", "mlp"},
                                 {"features", features},
                                 {"hidden", nlohmann::json::array()},
                                 {"outputs", outputs},
                                 {"task", "regression"}};
  return nn::initialize(nn::make_architecture(config), 8, at::kDouble);
}

inline nn::Model small_llama(at::ScalarType dtype = at::kFloat) {
  const nlohmann::json config = {
      {"model_type", "llama"},   {"hidden_size", 16}, {"num_attention_heads", 2},      {"num_hidden_layers", 2},
      {"intermediate_size", 24}, {"vocab_size", 11},  {"max_position_embeddings", 16}, {"tie_word_embeddings", true}};
  return nn::initialize(nn::make_architecture(config), 9, dtype);
}

}  // namespace assay::train
