// Scores of gradient indexes of the small network of studies/ekfac_small_mlp, for the study and its short form.
#pragma once

#include <filesystem>
#include <string>

#include "assay/attribute/index_build.h"
#include "assay/attribute/logra.h"
#include "assay/attribute/projected_rows.h"
#include "assay/curvature/dense.h"
#include "studies/ekfac_small_mlp/protocol.h"

namespace assay::studies {

/// Scores [Q,N] of every training example for every query, from an index that is made in `folder` and removed again.
inline at::Tensor index_scores(const Seed& seed, const attribute::IndexSettings& settings, const std::string& folder,
                               const std::string& method = "logra") {
  const attribute::IndexedDocuments documents{.dataset = seed.train};
  const attribute::IndexRequest request{
      .model = seed.model, .documents = documents, .layers = seed.layers, .settings = settings};
  const std::string path = folder + "/index";
  attribute::build_index(path, request, silent_progress());
  at::Tensor scores;
  {
    const attribute::GradientIndex index(path);
    attribute::Inputs inputs = seed.inputs();
    inputs.index = &index;
    const auto scorer = attribute::make_logra_scorer(parse_factory(method, attribute::method_table(), "method"), inputs,
                                                     silent_progress());
    scores = scorer->scan(1, seed.queries.size(), false, {}, silent_progress()).whole;
  }
  std::filesystem::remove_all(path);
  return scores;
}

inline attribute::IndexSettings settings_of(attribute::ProjectionKind projection, int64_t rank, uint64_t seed) {
  return {
      .projection = projection, .rank_out = rank, .rank_in = rank, .seed = seed, .rows = attribute::RowType::Float64};
}

/// What a store would give that draws its projections anew for the questions: rows and their curvature under one seed,
/// the queries under another. [Q,N]
inline at::Tensor mixed_up_scores(const Seed& seed, int64_t rank) {
  const auto project = [&](uint64_t projection_seed, const data::Dataset& dataset, const nn::Measurement& measure) {
    curvature::Projection projection = curvature::random_projection(seed.model.architecture(), seed.layers,
                                                                    {rank, rank}, projection_seed, at::kDouble);
    return attribute::projected_rows(seed.model, dataset, measure, projection, /*with_sums=*/false, int64_t{1} << 30,
                                     "example", 0, [](int64_t) {})
        .rows;
  };
  const at::Tensor rows = project(seed.seed, seed.train, nn::loss());
  const at::Tensor queries = project(seed.seed + 1, seed.queries, nn::margin());
  at::Tensor total;
  int64_t offset = 0;
  for (const nn::LayerId layer : seed.layers) {
    const auto shape = curvature::projected_shape(seed.model.architecture(), layer, {rank, rank});
    const auto part = [&](const at::Tensor& all) {
      return all.narrow(1, offset, shape.size()).reshape({all.size(0), shape.rows, shape.columns});
    };
    const curvature::DenseCurvature curvature(
        "mixed up", {{layer, {.name = "layer", .shape = shape, .rows = part(rows).flatten(1)}}});
    const at::Tensor u = curvature.solve(part(queries), layer, curvature::Damping::relative(0.1)).flatten(1);
    const at::Tensor scores = u.matmul(part(rows).flatten(1).t()).neg();
    total = total.defined() ? total.add(scores) : scores;
    offset += shape.size();
  }
  return total;
}

}  // namespace assay::studies
