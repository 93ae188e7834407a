// Gradient indexes of toy models, and what LoGra should make of them, in plain products.
#pragma once

#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>

#include <memory>

#include "assay/attribute/gradient_index.h"
#include "assay/attribute/index_build.h"
#include "assay/attribute/logra.h"
#include "assay/core/error.h"
#include "assay/core/progress.h"
#include "tests/support/scoring.h"
#include "tests/support/temporary_folder.h"

namespace assay {

/// A model with documents and questions, and the indexes that its tests make of it.
struct Indexing {
  Scoring scoring;
  attribute::IndexSettings settings = {};
  int64_t rows_per_block = 0;
  int64_t memory_bytes = int64_t{4} << 30;

  attribute::IndexRequest request(const attribute::IndexedDocuments& documents) const {
    return {.model = scoring.model,
            .documents = documents,
            .layers = all_layers(scoring.model),
            .settings = settings,
            .model_hash = "model",
            .tokenizer_hash = "tokenizer",
            .context = 64,
            .memory_bytes = memory_bytes,
            .rows_per_block = rows_per_block};
  }
  attribute::IndexOutcome build(const std::string& folder, Progress& progress = silent_progress()) const {
    const attribute::IndexedDocuments documents{.dataset = scoring.train};
    return attribute::build_index(folder, request(documents), progress);
  }

  attribute::Inputs inputs(const attribute::GradientIndex& index) const {
    attribute::Inputs inputs = scoring.inputs();
    inputs.index = &index;
    return inputs;
  }
  std::unique_ptr<attribute::LograScorer> scorer(const attribute::GradientIndex& index,
                                                 const std::string& method = "logra") const {
    const attribute::Inputs given = inputs(index);
    return attribute::make_logra_scorer(parse_factory(method, attribute::method_table(), "method"), given,
                                        silent_progress());
  }
  /// [Q,N] from the rows of an index.
  at::Tensor scores(const std::string& folder, const std::string& method = "logra") const {
    const attribute::GradientIndex index(folder);
    return scorer(index, method)->scan(3, scoring.queries.size(), false, {}, silent_progress()).whole;
  }
  /// The same of an index made for this.
  at::Tensor scores_of_new(const std::string& method = "logra") const {
    const TemporaryFolder folder;
    build(folder / "index");
    return scores(folder / "index", method);
  }
};

/// Texts of several lengths, and questions to them.
inline Scoring index_texts(int64_t count = 12) {
  return {toy_llama(), toy_texts(count, 2, 11, 1), toy_texts(4, 3, 8, 2)};
}

/// Stops a job after so many advances, as the user might.
class Stopping final : public Progress {
 public:
  explicit Stopping(int after) : left_(after) {}
  void begin(std::string_view, int64_t, std::string_view) override {}
  void advance(int64_t) override {
    if (--left_ < 0) throw Error(ErrorKind::Interrupted, "stopped");
  }
  void end() override {}
  void note(std::string_view) override {}

 private:
  int left_;
};

/// [N,K], decoded.
inline at::Tensor all_rows(const std::string& folder, at::ScalarType dtype = at::kDouble) {
  const attribute::GradientIndex index(folder);
  std::vector<at::Tensor> rows;
  for (const auto& block : index.blocks()) rows.push_back(index.rows_of(block, dtype));
  return at::cat(rows);
}

/// Z of every example as P_o D P_iᵀ with D from single backward passes: [N,K].
inline at::Tensor projected_gradients(const Scoring& scoring, const data::Dataset& dataset,
                                      const nn::Measurement& measurement, const curvature::Projection& projection) {
  const at::Tensor flat = flat_gradients(scoring.model, dataset, measurement);
  std::vector<at::Tensor> parts;
  int64_t begin = 0;
  for (const nn::LayerId layer : projection.layers()) {
    const curvature::LayerShape full = curvature::shape_of(scoring.model.architecture(), layer);
    const at::Tensor d = flat.narrow(1, begin, full.size()).reshape({flat.size(0), full.rows, full.columns});
    const curvature::LayerProjection& sides = projection.of(layer);
    parts.push_back(sides.output.t().matmul(d).matmul(sides.input).flatten(1));
    begin += full.size();
  }
  return at::cat(parts, 1);
}

/// Σ_l ⟨(H_l + 0.1 tr(H_l)/k_l)⁻¹ q, z⟩ with H_l = mean z zᵀ, by a dense solve: [Q,N]. `cuts`: where layers begin and
/// end.
inline at::Tensor dense_influence(const at::Tensor& queries, const at::Tensor& rows, const std::vector<int64_t>& cuts,
                                  double damping = 0.1) {
  at::Tensor total;
  for (size_t l = 0; l + 1 < cuts.size(); ++l) {
    const int64_t k = cuts[l + 1] - cuts[l];
    const at::Tensor z = rows.narrow(1, cuts[l], k), q = queries.narrow(1, cuts[l], k);
    const at::Tensor h = z.t().matmul(z).div(static_cast<double>(z.size(0)));
    const double added = damping * h.trace().item<double>() / static_cast<double>(k);
    const at::Tensor u = at::linalg_solve(h.add(at::eye(k, at::kDouble), added), q.t()).t();
    const at::Tensor part = u.matmul(z.t());
    total = total.defined() ? total.add(part) : part;
  }
  return total;
}

}  // namespace assay
