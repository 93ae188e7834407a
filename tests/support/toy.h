// Small models and data for tests, all from Philox: the same on every machine.
#pragma once

#include <nlohmann/json.hpp>
#include <numeric>

#include "assay/core/philox.h"
#include "assay/data/dataset.h"
#include "assay/nn/model.h"

namespace assay {

struct ToyMlp {
  int64_t features = 4;
  std::vector<int64_t> hidden = {6};
  int64_t outputs = 3;
  std::string task = "classification";
  bool bias = true;
  int64_t repeats = 1;
};

inline nn::Model toy_mlp(const ToyMlp& shape, uint64_t seed = 1, at::ScalarType dtype = at::kDouble) {
  const nlohmann::json config{{"model_type", "mlp"},      {"features", shape.features}, {"hidden", shape.hidden},
                              {"outputs", shape.outputs}, {"task", shape.task},         {"bias", shape.bias},
                              {"repeats", shape.repeats}};
  return nn::initialize(nn::make_architecture(config), seed, dtype);
}

/// A llama of width 16 with two blocks, weights large enough that its predictions are not flat.
inline nn::Model toy_llama(uint64_t seed = 1, at::ScalarType dtype = at::kDouble, int64_t vocabulary = 24) {
  const nlohmann::json config{{"model_type", "llama"},       {"hidden_size", 16},
                              {"intermediate_size", 24},     {"num_hidden_layers", 2},
                              {"num_attention_heads", 4},    {"num_key_value_heads", 2},
                              {"vocab_size", vocabulary},    {"max_position_embeddings", 64},
                              {"tie_word_embeddings", true}, {"initializer_range", 0.2}};
  return nn::initialize(nn::make_architecture(config), seed, dtype);
}

/// Classes as noisy clusters; regression targets (outputs > 0, no class) as a noisy linear map.
inline data::Dataset toy_arrays(int64_t count, const ToyMlp& shape, uint64_t seed = 1) {
  data::Dataset dataset;
  for (int64_t i = 0; i < count; ++i) {
    const auto row = static_cast<uint64_t>(i);
    data::Example example;
    const bool is_classes = shape.task == "classification";
    const auto label = random_below(static_cast<uint64_t>(shape.outputs), seed, stream_of("toy.label"), row);
    for (int64_t j = 0; j < shape.features; ++j) {
      const auto column = static_cast<uint64_t>(j);
      const double mean = is_classes ? random_normal(seed, stream_of("toy.mean") + label, column) : 0;
      example.features.push_back(
          static_cast<float>(mean + random_normal(seed, stream_of("toy.features") + row, column)));
    }
    if (is_classes) {
      example.label = static_cast<int32_t>(label);
    } else {
      for (int64_t k = 0; k < shape.outputs; ++k) {
        double value = 0.3 * random_normal(seed, stream_of("toy.noise") + row, static_cast<uint64_t>(k));
        for (int64_t j = 0; j < shape.features; ++j) {
          value += static_cast<double>(example.features[static_cast<size_t>(j)]) *
                   random_normal(seed, stream_of("toy.map") + static_cast<uint64_t>(k), static_cast<uint64_t>(j));
        }
        example.values.push_back(static_cast<float>(value));
      }
    }
    dataset.examples.push_back(std::move(example));
  }
  data::assign_ids(dataset);
  return dataset;
}

/// Random texts of `shortest` to `longest` tokens.
inline data::Dataset toy_texts(int64_t count, int64_t shortest, int64_t longest, uint64_t seed = 1,
                               int64_t vocabulary = 24) {
  data::Dataset dataset;
  for (int64_t i = 0; i < count; ++i) {
    const auto row = static_cast<uint64_t>(i);
    const auto span = static_cast<uint64_t>(longest - shortest + 1);
    const int64_t length = shortest + static_cast<int64_t>(random_below(span, seed, stream_of("toy.length"), row));
    data::Example example;
    for (int64_t t = 0; t < length; ++t) {
      const auto token = random_below(static_cast<uint64_t>(vocabulary), seed, stream_of("toy.tokens") + row,
                                      static_cast<uint64_t>(t));
      example.tokens.push_back(static_cast<int32_t>(token));
    }
    dataset.examples.push_back(std::move(example));
  }
  data::assign_ids(dataset);
  return dataset;
}

/// Every layer that can be tracked.
inline std::vector<nn::LayerId> all_layers(const nn::Model& model) {
  return model.architecture().match_layers("*");
}

/// Batches of `size` examples in their order.
inline std::vector<std::vector<int64_t>> batches_of(const data::Dataset& dataset, int64_t size) {
  std::vector<std::vector<int64_t>> batches;
  for (int64_t row = 0; row < dataset.size(); ++row) {
    if (row % size == 0) batches.emplace_back();
    batches.back().push_back(row);
  }
  return batches;
}

}  // namespace assay
