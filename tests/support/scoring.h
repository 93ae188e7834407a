// Scores of a method on toy models, in one call.
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include "assay/attribute/methods_options.h"
#include "assay/attribute/scorer.h"
#include "assay/nn/gradients.h"
#include "tests/support/toy.h"

namespace assay {

struct Scoring {
  nn::Model model;
  data::Dataset train;
  data::Dataset queries;
  nn::Measurement measurement = nn::loss();
  uint64_t seed = 3;
  attribute::Parts parts = {};
  int64_t memory_bytes = int64_t{1} << 30;

  attribute::Inputs inputs() const {
    return {.model = model,
            .train = {train},
            .queries = {queries},
            .measurement = measurement,
            .layers = all_layers(model),
            .seed = seed,
            .memory_bytes = memory_bytes};
  }
  attribute::Scores operator()(const std::string& method) const {
    const FactoryCall call = parse_factory(method, attribute::method_table(), "method");
    curvature::Workspace workspace;
    const attribute::Inputs given = inputs();
    const auto scorer = attribute::make_scorer(call, given, silent_progress());
    return scorer->score({train}, parts, workspace, silent_progress());
  }
  /// [Q,N]
  at::Tensor total(const std::string& method) const { return (*this)(method).total; }
};

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}
inline double largest(const at::Tensor& a) {
  return a.abs().max().item<double>();
}

/// D of every example of every layer as one flat vector: [N,P], one single backward pass each.
inline at::Tensor flat_gradients(const nn::Model& model, const data::Dataset& dataset,
                                 const nn::Measurement& measurement) {
  std::vector<at::Tensor> rows;
  const auto layers = all_layers(model);
  for (int64_t row = 0; row < dataset.size(); ++row) {
    std::map<nn::LayerId, at::Tensor> by_layer;
    const data::Batch batch = data::make_batch(dataset, std::span(&row, 1), model.dtype());
    nn::stream_gradients(model, batch, measurement, layers, [&](const nn::FactoredGradient& gradient) {
      by_layer[gradient.layer] = gradient.dense().flatten();
    });
    std::vector<at::Tensor> parts;
    for (const auto& [layer, part] : by_layer) parts.push_back(part);
    rows.push_back(at::cat(parts));
  }
  return at::stack(rows);
}

}  // namespace assay
