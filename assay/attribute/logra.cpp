#include "assay/attribute/logra.h"

#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "assay/attribute/directions.h"
#include "assay/attribute/methods.h"
#include "assay/attribute/methods_options.h"
#include "assay/attribute/projected_rows.h"
#include "assay/attribute/score_walk.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/error.h"
#include "assay/core/plan.h"
#include "assay/core/twin.h"

namespace assay::attribute {
namespace {

constexpr int64_t kLargestSpectrum = 256;  // of a layer: decomposing more takes far longer than scoring
constexpr double kTinyTrace = 1e-4;

IndexMode mode_of(const FactoryCall& call) {
  if (call.is_word("mode", "l2")) return IndexMode::L2;
  return call.is_word("mode", "relatif") ? IndexMode::Relatif : IndexMode::Dot;
}

curvature::Projection projection_for(const GradientIndex& index, const nn::Model& model) {
  if (ASSAY_TWIN("attribute.projection_of_another_seed")) {
    const IndexSettings& made = index.about().settings;
    return curvature::random_projection(model.architecture(), index.layer_ids(model.architecture()),
                                        {made.rank_out, made.rank_in}, made.seed + 1, model.dtype());
  }
  return index.projection(model.architecture()).to(model.dtype());
}

at::Tensor layer_of(const at::Tensor& rows, const IndexAbout::Layer& layer) {  // [n,r_o,r_i]
  return rows.narrow(1, layer.offset, layer.shape.size())
      .reshape({rows.size(0), layer.shape.rows, layer.shape.columns});
}

}  // namespace

LograScorer::LograScorer(const Inputs& inputs, const GradientIndex& index, IndexMode mode, double damping,
                         Progress& progress)
    : inputs_(inputs),
      index_(index),
      mode_(mode),
      damping_(curvature::Damping::relative(damping)),
      projection_(projection_for(index, inputs.model)) {
  const std::vector<nn::LayerId> held = index.layer_ids(inputs.model.architecture());
  for (const nn::LayerId layer : inputs.layers) {
    const auto found = std::ranges::find(held, layer);
    ASSAY_ASSERT(found != held.end());
    places_.push_back(static_cast<size_t>(found - held.begin()));
    ids_.push_back(layer);
  }
  curvature::Projection projection = projection_;
  const data::Dataset& queries = inputs.queries.dataset;
  progress.begin("questions", std::max<int64_t>(1, queries.tokens()), "tokens");
  const at::Tensor gradients =
      projected_rows(inputs.model, queries, inputs.measurement, projection, false, inputs.memory_bytes, "question", 1,
                     [&](int64_t tokens) { progress.advance(tokens); })
          .rows;
  progress.end();
  directions_ = at::zeros(gradients.sizes(), gradients.options());
  double trace = 0;
  std::vector<curvature::LayerRank> ranks;
  progress.begin("solving", std::ssize(places_), "layers");
  for (size_t i = 0; i < places_.size(); ++i) {
    const IndexAbout::Layer& layer = index.about().layers[places_[i]];
    const Solver solver = solver_of(i);
    trace += solver.curvature->mean_eigenvalue(ids_[i]) * static_cast<double>(layer.shape.size());
    ranks.push_back(rank_in(*solver.curvature, i));
    const at::Tensor solved = solver.inverse->solve(layer_of(gradients, layer));
    require_finite(solved, "the questions' directions", i);
    directions_.narrow(1, layer.offset, layer.shape.size()).copy_(solved.flatten(1));
    progress.advance(1);
  }
  progress.end();
  // A step on a document moves the weights along -(H+λ)⁻¹ Z: what lowers with it, helps a loss and harms the rest.
  if (!inputs.measurement.less_is_better) directions_.neg_();
  const bool is_raw = index.about().settings.curvature == IndexCurvature::Raw;
  warnings_ = curvature::rank_warnings(is_raw ? "projected curvature" : "projected input covariance", ranks, damping_,
                                       inputs.model.dtype(),
                                       is_raw ? curvature::Undamped::LeavesOut : curvature::Undamped::Divides);
  const double asked = gradients.square().sum({1}).mean().item<double>();
  if (trace < kTinyTrace * asked) {
    warnings_.push_back(
        fmt::format("The documents' own gradients are small beside the questions' (mean square {:.2g} against {:.2g}): "
                    "the model has "
                    "nearly learnt its documents by heart, and their labels say little about its curvature.",
                    trace, asked));
  }
}

Meaning LograScorer::meaning() const {
  const IndexSettings& made = index_.about().settings;
  const std::string projection =
      fmt::format("{} projection of rank {}", made.projection == ProjectionKind::Random ? "random" : "principal",
                  made.rank_out == made.rank_in ? fmt::format("{}", made.rank_in)
                                                : fmt::format("{} by {}", made.rank_out, made.rank_in));
  // -½‖u_q − Z_i‖² in the curvature's inverse, up to ½ self_q: the highest are the nearest, whatever their sign.
  const bool is_l2 = mode_ == IndexMode::L2;
  const char* what = mode_ == IndexMode::Dot ? "LoGra influence" : is_l2 ? "LoGra, l2" : "LoGra, l-RelatIF";
  return {.title = fmt::format("{}, {}, damping {}", what, projection, damping_.value),
          .unit = mode_ == IndexMode::Relatif ? "influence over the root of the document's own"
                  : is_l2                     ? "influence less half the document's own"
                                              : "influence within the projection",
          .is_signed = !is_l2 || ASSAY_TWIN("attribute.l2_of_both_signs"),
          .is_closeness = is_l2,
          .is_counterfactual = false,
          .has_parts = !is_l2};
}

std::optional<CurvatureFacts> LograScorer::curvature() const {
  curvature::Spectrum all;
  for (size_t i = 0; i < places_.size(); ++i) {
    if (index_.about().layers[places_[i]].shape.size() > kLargestSpectrum) return std::nullopt;
    const auto spectrum =
        curvature::spectrum_of(*index_.curvature_of(places_[i], ids_[i], inputs_.model.dtype()), damping_);
    if (!spectrum) return std::nullopt;
    for (size_t bin = 0; bin < all.directions.size(); ++bin) all.directions[bin] += spectrum->directions[bin];
    all.without_curvature += spectrum->without_curvature;
    all.below_damping += spectrum->below_damping;
    all.total += spectrum->total;
  }
  return CurvatureFacts{{}, all};
}

LograScorer::Solver LograScorer::solver_of(size_t i) const {
  const at::ScalarType dtype = inputs_.model.dtype();
  Solver solver{index_.curvature_of(places_[i], ids_[i], dtype), nullptr};
  curvature::Damping damping = damping_;
  if (ASSAY_TWIN("attribute.damping_of_the_first_layer")) {
    const double mean = index_.curvature_of(places_[0], ids_[0], dtype)->mean_eigenvalue(ids_[0]);
    damping = curvature::Damping::absolute(damping.in_layer(mean));
  }
  solver.inverse = solver.curvature->inverse(ids_[i], damping);
  return solver;
}

// Of the dense form the rank is bounded by the rows, which costs nothing to know; decomposing it to count would take
// longer than scoring. The Kronecker form has the input directions' own shares as sums of its eigenvalues.
curvature::LayerRank LograScorer::rank_in(const curvature::Curvature& curvature, size_t i) const {
  const IndexAbout::Layer& layer = index_.about().layers[places_[i]];
  if (ASSAY_TWIN("attribute.full_rank_of_any_rows")) return {layer.name, layer.shape.size(), layer.shape.size()};
  if (index_.about().settings.curvature == IndexCurvature::Raw)
    return {layer.name, std::min(index_.rows(), layer.shape.size()), layer.shape.size()};
  const at::Tensor inputs = curvature.eigenvalues(ids_[i]).to(at::kDouble).sum({0});
  return {layer.name, curvature::rank_of(inputs, inputs_.model.dtype()), layer.shape.columns,
          curvature::stable_rank_of(inputs)};
}

// Zero times infinity would make every document's score NaN.
void LograScorer::require_finite(const at::Tensor& values, const char* what, size_t i) const {
  if (ASSAY_TWIN("attribute.logra_of_any_number") || values.isfinite().all().item<bool>()) return;
  throw Error(ErrorKind::Numeric,
              fmt::format("solving with the {} curvature of \"{}\": {} must be finite, but at damping {} some are not, "
                          "because an eigenvalue is nearly zero; raise the damping, e.g. --method 'logra(damping=0.1)'",
                          to_string(index_.about().settings.curvature), index_.about().layers[places_[i]].name, what,
                          damping_.value));
}

at::Tensor LograScorer::self_influence(Progress& progress) const {
  at::Tensor self = at::zeros({index_.rows()}, directions_.options());
  progress.begin("self-influence", std::ssize(places_), "layers");
  for (size_t i = 0; i < places_.size(); ++i) {
    const IndexAbout::Layer& layer = index_.about().layers[places_[i]];
    const Solver solver = solver_of(i);
    for (const GradientIndex::RowBlock& block : index_.blocks()) {
      const at::Tensor rows = index_.rows_of_layer(places_[i], block, inputs_.model.dtype());
      const at::Tensor part = solver.inverse->norm(rows.reshape({block.count, layer.shape.rows, layer.shape.columns}));
      require_finite(part, "the documents' own influences", i);
      self.narrow(0, block.first, block.count).add_(part);
    }
    progress.advance(1);
  }
  progress.end();
  return self;
}

at::Tensor LograScorer::reach_of(const at::Tensor& rows) const {
  at::Tensor self = at::zeros({rows.size(0)}, rows.options());
  for (size_t i = 0; i < places_.size(); ++i) {
    const IndexAbout::Layer& layer = index_.about().layers[places_[i]];
    const at::Tensor part = solver_of(i).inverse->norm(layer_of(rows, layer));
    require_finite(part, "the documents' own influences", i);
    self.add_(part);
  }
  return self;
}

ScanResult LograScorer::scan(int64_t strongest, int64_t whole_rows, bool per_layer,
                             const std::vector<LayerGroup>& groups, Progress& progress) const {
  if (mode_ == IndexMode::L2 && (per_layer || !groups.empty())) refuse_parts_of_l2();
  return scan_index(index_,
                    {.directions = directions_,
                     .layers = places_,
                     .mode = mode_,
                     .self = mode_ == IndexMode::Dot ? at::Tensor() : self_influence(progress),
                     .strongest = strongest,
                     .whole_rows = whole_rows,
                     .per_layer = per_layer,
                     .groups = groups},
                    progress);
}

Scores LograScorer::score(const Documents& documents, const Parts& parts, curvature::Workspace& workspace,
                          Progress& progress) const {
  if (mode_ == IndexMode::L2 && (parts.per_token || parts.per_layer)) refuse_parts_of_l2();
  std::vector<int64_t> queries = parts.queries;
  if (queries.empty()) {
    queries.resize(static_cast<size_t>(directions_.size(0)));
    std::iota(queries.begin(), queries.end(), 0);
  }
  std::vector<at::Tensor> chosen;
  for (const int64_t query : queries) chosen.push_back(directions_.select(0, query));
  const at::Tensor u = at::stack(chosen);

  Scores scores;
  at::Tensor rows;
  if (!parts.per_token || mode_ != IndexMode::Dot || parts.self_influence) {
    curvature::Projection projection = projection_;
    progress.begin("projected gradients", documents.dataset.tokens(), "tokens");
    rows = projected_rows(inputs_.model, documents.dataset, nn::loss(), projection, false, inputs_.memory_bytes,
                          "document", 0, [&](int64_t tokens) { progress.advance(tokens); })
               .rows;
    progress.end();
  }
  if (parts.per_token) {
    std::map<nn::LayerId, at::Tensor> lifted;
    for (size_t i = 0; i < places_.size(); ++i)
      lifted[ids_[i]] = projection_.lift(layer_of(u, index_.about().layers[places_[i]]), ids_[i]);
    const Walked walked = walk_documents(
        inputs_.model, documents.dataset, walk_batches(inputs_.model, documents.dataset, inputs_.memory_bytes),
        Directions(std::move(lifted)), parts, {}, fmt::format("logra.from.{}", queries.front()), workspace, progress);
    scores = {walked.total, walked.per_token, walked.per_layer, {}};
  } else {
    scores.total = u.matmul(rows.t());
    if (parts.per_layer) {
      std::vector<at::Tensor> by_layer;
      for (const size_t place : places_) {
        const IndexAbout::Layer& layer = index_.about().layers[place];
        by_layer.push_back(layer_of(u, layer).flatten(1).matmul(layer_of(rows, layer).flatten(1).t()));
      }
      scores.per_layer = at::stack(by_layer);
    }
  }
  if (mode_ == IndexMode::Dot && !parts.self_influence) return scores;
  const at::Tensor self = reach_of(rows);
  if (parts.self_influence) scores.self_influence = self;
  if (mode_ == IndexMode::L2) scores.total = scores.total.sub(self, 0.5);
  if (mode_ == IndexMode::Relatif) {
    const at::Tensor factor = self.sqrt().reciprocal().masked_fill(self.le(0), 0);
    scores.total = scores.total.mul(factor);
    if (scores.per_layer.defined()) scores.per_layer = scores.per_layer.mul(factor);
    if (scores.per_token.defined()) scores.per_token = scores.per_token.mul(factor.unsqueeze(-1));
  }
  return scores;
}

std::unique_ptr<LograScorer> make_logra_scorer(const FactoryCall& call, const Inputs& inputs, Progress& progress) {
  if (inputs.index == nullptr) {
    throw Error(
        ErrorKind::Usage,
        "scoring with logra: it reads a gradient index, but none is named; make one with assay index and name it "
        "with --store");
  }
  return std::make_unique<LograScorer>(inputs, *inputs.index, mode_of(call), call.number("damping"), progress);
}

std::unique_ptr<Scorer> make_logra(const FactoryCall& call, const Inputs& inputs, Progress& progress) {
  return make_logra_scorer(call, inputs, progress);
}

}  // namespace assay::attribute
