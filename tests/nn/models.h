// Small models and batches that the tests of this area share.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "assay/core/philox.h"
#include "assay/data/batch.h"
#include "assay/nn/model.h"

namespace assay::nn {

/// A Llama of width 16 with grouped queries and random weights, float64 unless told otherwise. Matrices have deviation
/// 0.4, so that pre-activations and logits spread and a wrong activation or rotation shows.
inline Model tiny_llama(bool tied = false, at::ScalarType dtype = at::kDouble, uint64_t seed = 7) {
  const nlohmann::json config{{"model_type", "llama"},
                              {"hidden_size", 16},
                              {"intermediate_size", 24},
                              {"num_hidden_layers", 2},
                              {"vocab_size", 29},
                              {"num_attention_heads", 4},
                              {"num_key_value_heads", 2},
                              {"max_position_embeddings", 64},
                              {"rms_norm_eps", 1e-5},
                              {"rope_theta", 10000.0},
                              {"tie_word_embeddings", tied},
                              {"initializer_range", 0.4}};
  return initialize(make_architecture(config), seed, dtype);
}

inline Model tiny_mlp(const std::string& task, int repeats = 1, uint64_t seed = 3) {
  const nlohmann::json config{{"model_type", "mlp"}, {"features", 5}, {"hidden", {6, 6}},
                              {"outputs", 3},        {"task", task},  {"repeats", repeats}};
  return initialize(make_architecture(config), seed, at::kDouble);
}

/// Texts of the given lengths with random tokens below `vocabulary`.
inline data::Dataset random_texts(const std::vector<int64_t>& lengths, int32_t vocabulary = 29, uint64_t seed = 11) {
  data::Dataset dataset;
  for (size_t i = 0; i < lengths.size(); ++i) {
    data::Example example;
    example.id = 1000 + i;
    for (int64_t t = 0; t < lengths[i]; ++t) {
      example.tokens.push_back(
          static_cast<int32_t>(random_below(static_cast<uint64_t>(vocabulary), seed, i, static_cast<uint64_t>(t))));
    }
    dataset.examples.push_back(std::move(example));
  }
  return dataset;
}

/// Arrays with `features` numbers, a class below `classes` and as many regression targets.
inline data::Dataset random_arrays(int64_t count, int64_t features = 5, int32_t classes = 3, uint64_t seed = 13) {
  data::Dataset dataset;
  for (int64_t i = 0; i < count; ++i) {
    const auto stream = static_cast<uint64_t>(i);
    data::Example example;
    example.id = 2000 + stream;
    for (int64_t j = 0; j < features; ++j)
      example.features.push_back(static_cast<float>(random_normal(seed, stream, static_cast<uint64_t>(j))));
    example.label = static_cast<int32_t>(random_below(static_cast<uint64_t>(classes), seed, stream, 1000));
    for (int32_t k = 0; k < classes; ++k)
      example.values.push_back(static_cast<float>(random_normal(seed + 1, stream, static_cast<uint64_t>(k))));
    dataset.examples.push_back(std::move(example));
  }
  return dataset;
}

inline data::Batch whole(const data::Dataset& dataset, at::ScalarType dtype = at::kDouble, int64_t positions = 0) {
  std::vector<int64_t> rows(dataset.examples.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  return data::make_batch(dataset, rows, dtype, positions);
}

/// Largest absolute difference.
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

}  // namespace assay::nn
