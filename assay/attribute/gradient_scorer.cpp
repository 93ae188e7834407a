#include "assay/attribute/gradient_scorer.h"

#include <ATen/ops/cat.h>
#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "assay/attribute/fit_rows.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"
#include "assay/curvature/layer_shape.h"

namespace assay::attribute {
namespace {

// A gradient of zero has no direction: its quotient is 0.
at::Tensor reciprocal_or_zero(const at::Tensor& values) {
  return values.reciprocal().masked_fill(values.le(0), 0);
}

// In place: scores a position are the largest thing there is. factors: [Q,N] or [N].
void scale_columns(const Scores& scores, const at::Tensor& factors) {
  scores.total.mul_(factors);
  if (ASSAY_TWIN("attribute.parts_not_scaled")) return;
  if (scores.per_layer.defined()) scores.per_layer.mul_(factors);
  if (scores.per_token.defined()) scores.per_token.mul_(factors.unsqueeze(-1));
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
          groups.front().self_influence, join(&Scores::rank_errors, 0)};
}

}  // namespace

int64_t numbers_of_a_direction(const nn::Architecture& architecture, std::span<const nn::LayerId> layers,
                               int64_t rank) {
  int64_t numbers = 0;
  for (const nn::LayerId layer : layers) {
    const curvature::LayerShape shape = curvature::shape_of(architecture, layer);
    const int64_t kept = std::min({rank, shape.rows, shape.columns});  // of a matrix, whatever was asked
    numbers += rank > 0 ? kept * (shape.rows + shape.columns) : shape.size();
  }
  return numbers;
}

QueryGroups query_groups(const nn::Architecture& architecture, std::span<const nn::LayerId> layers,
                         at::ScalarType dtype, int64_t rank, int64_t bytes) {
  const auto fit = [&](int64_t of_rank, int64_t room) {
    const int64_t each = numbers_of_a_direction(architecture, layers, of_rank);
    return std::max<int64_t>(1, room / (each * static_cast<int64_t>(c10::elementSize(dtype))));
  };
  if (rank == 0) return {fit(0, bytes), fit(0, bytes)};
  return {fit(rank, bytes / 2), fit(0, bytes / 2)};
}

GradientScorer::GradientScorer(const Inputs& inputs, GradientMethod method)
    : inputs_(inputs), method_(std::move(method)) {}

std::vector<std::string> GradientScorer::warnings() const {
  if (!method_.fitted) return {};
  std::vector<std::string> warnings = curvature::rank_warnings(*method_.fitted, method_.damping, inputs_.model.dtype());
  if (const auto rows = fit_rows(inputs_.train.dataset, inputs_.fit_examples, inputs_.seed)) {
    warnings.push_back(fmt::format(
        "The curvature was fitted on {} of {} training examples, drawn by the seed; the scores cover all of them.",
        format_count(std::ssize(*rows)), format_count(inputs_.train.dataset.size())));
  }
  return warnings;
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
  const auto at_once = static_cast<size_t>(query_groups(inputs_.model.architecture(), inputs_.layers,
                                                        inputs_.model.dtype(), method_.rank, inputs_.memory_bytes)
                                               .in_a_walk);
  // What the fit's walks left is of the documents themselves, not of others, nor of those drawn among them.
  if (&documents.dataset != &inputs_.train.dataset ||
      fit_rows(inputs_.train.dataset, inputs_.fit_examples, inputs_.seed))
    inputs_.model.forget_heads();
  std::vector<Scores> groups;
  for (size_t begin = 0; begin < queries.size(); begin += at_once) {
    const auto group = std::span(queries).subspan(ASSAY_TWIN("attribute.first_queries_in_every_walk") ? 0 : begin,
                                                  std::min(at_once, queries.size() - begin));
    groups.push_back(score_queries(documents, parts, group, workspace, progress));
  }
  inputs_.model.forget_heads();
  return stacked(groups);
}

GradientScorer::Prepared GradientScorer::prepare(std::span<const int64_t> queries) const {
  const auto at_once = static_cast<size_t>(query_groups(inputs_.model.architecture(), inputs_.layers,
                                                        inputs_.model.dtype(), method_.rank, inputs_.memory_bytes)
                                               .at_full_size);
  std::optional<Directions> all;
  std::vector<at::Tensor> norms;
  for (size_t begin = 0; begin < queries.size(); begin += at_once) {
    Directions some = query_gradients(inputs_.model, inputs_.queries.dataset,
                                      queries.subspan(begin, std::min(at_once, queries.size() - begin)),
                                      inputs_.measurement, inputs_.layers);
    if (method_.scale == Scale::ByBothNorms) norms.push_back(some.norms());
    some = std::move(some).solve(*method_.curvature, method_.damping);
    if (method_.rank > 0) some = std::move(some).compress(method_.rank);
    if (all) {
      all->append(some);
    } else {
      all = std::move(some);
    }
  }
  return_freed_memory();  // of gradients at full size, which the walk to come does not hold
  return {std::move(*all), norms.empty() ? at::Tensor() : at::cat(norms)};
}

Scores GradientScorer::score_queries(const Documents& documents, const Parts& parts, std::span<const int64_t> queries,
                                     curvature::Workspace& workspace, Progress& progress) const {
  const auto [directions, query_norms] = prepare(queries);
  const data::Dataset& scored =
      ASSAY_TWIN("attribute.all_documents_for_those_given") ? inputs_.train.dataset : documents.dataset;
  const bool needs_self = parts.self_influence || method_.scale != Scale::Raw;
  const SelfNorm self{needs_self ? method_.curvature.get() : nullptr,
                      ASSAY_TWIN("attribute.self_at_another_damping") ? curvature::Damping{} : method_.damping};
  Walked walked =
      walk_documents(inputs_.model, scored, walk_batches(inputs_.model, scored, inputs_.memory_bytes), directions,
                     parts, self, fmt::format("queries.from.{}", queries.front()), workspace, progress);

  Scores scores{walked.total, walked.per_token, walked.per_layer, {}, directions.compression_errors()};
  if (parts.self_influence) scores.self_influence = walked.self;
  if (method_.scale != Scale::Raw) {
    at::Tensor factors =
        reciprocal_or_zero(ASSAY_TWIN("attribute.squared_norm_for_norm") ? walked.self : walked.self.sqrt())
            .expand_as(walked.total);
    if (method_.scale == Scale::ByBothNorms) factors = factors.mul(reciprocal_or_zero(query_norms).unsqueeze(1));
    scale_columns(scores, factors);
  }
  // A step on a document moves the weights along -(P+λ)⁻¹ ∇ℓ: what lowers with it, helps a loss and harms the rest.
  const bool flips = !inputs_.measurement.less_is_better;
  if (ASSAY_TWIN("attribute.wrong_sign") ? !flips : flips) scale_columns(scores, scores.total.new_full({1, 1}, -1));
  return scores;
}

}  // namespace assay::attribute
