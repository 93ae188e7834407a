#include "assay/attribute/gradient_scorer.h"

#include <ATen/ops/cat.h>
#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/curvature/layer_shape.h"

namespace assay::attribute {
namespace {

// A gradient of zero has no direction: its quotient is 0.
at::Tensor reciprocal_or_zero(const at::Tensor& values) {
  return values.reciprocal().masked_fill(values.le(0), 0);
}

void scale_columns(Scores& scores, const at::Tensor& factors) {  // factors: [Q,N] or [N]
  scores.total = scores.total.mul(factors);
  if (scores.per_layer.defined()) scores.per_layer = scores.per_layer.mul(factors);
  if (scores.per_token.defined()) scores.per_token = scores.per_token.mul(factors.unsqueeze(-1));
}

// Scores of several groups of queries, one below the other.
Scores stacked(const std::vector<Scores>& groups) {
  if (groups.size() == 1) return groups.front();
  const auto join = [&](at::Tensor Scores::*part, int64_t dimension) {
    if (!(groups.front().*part).defined()) return at::Tensor();
    std::vector<at::Tensor> parts;
    for (const Scores& group : groups) parts.push_back(group.*part);
    return at::cat(parts, dimension);
  };
  return {join(&Scores::total, 0), join(&Scores::per_token, 0), join(&Scores::per_layer, 1),
          groups.front().self_influence};
}

}  // namespace

int64_t queries_at_once(const nn::Architecture& architecture, std::span<const nn::LayerId> layers, at::ScalarType dtype,
                        int64_t rank, int64_t bytes) {
  int64_t numbers = 0;
  for (const nn::LayerId layer : layers) {
    const curvature::LayerShape shape = curvature::shape_of(architecture, layer);
    const int64_t full = shape.size();
    numbers += rank > 0 ? std::min(full, rank * (shape.rows + shape.columns)) : full;
  }
  return std::max<int64_t>(1, bytes / (numbers * static_cast<int64_t>(c10::elementSize(dtype))));
}

GradientScorer::GradientScorer(const Inputs& inputs, GradientMethod method)
    : inputs_(inputs), method_(std::move(method)) {}

std::vector<std::string> GradientScorer::warnings() const {
  return method_.fitted ? curvature::rank_warnings(*method_.fitted) : std::vector<std::string>{};
}

std::optional<CurvatureFacts> GradientScorer::curvature() const {
  if (!method_.fitted) return std::nullopt;
  return CurvatureFacts{*method_.fitted, curvature::spectrum_of(*method_.curvature, method_.damping)};
}

Scores GradientScorer::score(const Documents& documents, const Parts& parts, curvature::Workspace& workspace,
                             Progress& progress) const {
  std::vector<int64_t> queries = parts.queries;
  if (queries.empty()) {
    queries.resize(static_cast<size_t>(inputs_.queries.dataset.size()));
    std::iota(queries.begin(), queries.end(), 0);
  }
  const auto at_once = static_cast<size_t>(queries_at_once(inputs_.model.architecture(), inputs_.layers,
                                                           inputs_.model.dtype(), method_.rank, inputs_.memory_bytes));
  std::vector<Scores> groups;
  for (size_t begin = 0; begin < queries.size(); begin += at_once) {
    const auto group = std::span(queries).subspan(begin, std::min(at_once, queries.size() - begin));
    groups.push_back(score_queries(documents, parts, group, workspace, progress));
  }
  return stacked(groups);
}

Scores GradientScorer::score_queries(const Documents& documents, const Parts& parts, std::span<const int64_t> queries,
                                     curvature::Workspace& workspace, Progress& progress) const {
  Directions gradients =
      query_gradients(inputs_.model, inputs_.queries.dataset, queries, inputs_.measurement, inputs_.layers);
  const at::Tensor query_norms = method_.scale == Scale::ByBothNorms ? gradients.norms() : at::Tensor();
  Directions directions = std::move(gradients).solve(*method_.curvature, method_.damping);
  if (method_.rank > 0) directions = std::move(directions).compress(method_.rank);

  const bool needs_self = parts.self_influence || method_.scale != Scale::Raw;
  const SelfNorm self{needs_self ? method_.curvature.get() : nullptr, method_.damping};
  Walked walked = walk_documents(inputs_.model, documents.dataset, directions, parts, self,
                                 fmt::format("queries.from.{}", queries.front()), workspace, progress);

  Scores scores{walked.total, walked.per_token, walked.per_layer, {}};
  if (parts.self_influence) scores.self_influence = walked.self;
  if (method_.scale != Scale::Raw) {
    at::Tensor factors = reciprocal_or_zero(walked.self.sqrt()).expand_as(walked.total);
    if (method_.scale == Scale::ByBothNorms) factors = factors.mul(reciprocal_or_zero(query_norms).unsqueeze(1));
    scale_columns(scores, factors);
  }
  // A step on a document moves the weights along -(P+λ)⁻¹ ∇ℓ: what lowers with it, helps a loss and harms the rest.
  const bool flips = !inputs_.measurement.less_is_better;
  if (ASSAY_TWIN("attribute.wrong_sign") ? !flips : flips) scale_columns(scores, scores.total.new_full({1, 1}, -1));
  return scores;
}

}  // namespace assay::attribute
