// LoGra (Choe et al. 2024, arXiv 2405.13954): influence within the space that a gradient index projects to,
//
//   score(q, i) = ± Σ_l ⟨(H_l + λ_l)⁻¹ Z_q^l, Z_i^l⟩,     λ_l = damping · tr(H_l)/k_l,
//
// H_l the second moment of the documents' projected gradients (or its Kronecker form), on the documents' own labels.
// Exact for the model whose weights can move along the projection's directions alone; how much of the network that is
// grows with the rank. A question costs its own backward pass and K multiply-adds a document.
#pragma once

#include <memory>
#include <vector>

#include "assay/attribute/index_scan.h"
#include "assay/attribute/scorer.h"
#include "assay/core/factory.h"

namespace assay::attribute {

class LograScorer final : public Scorer {
 public:
  /// Differentiates, projects and solves the queries of `inputs`, in those of the index's layers that are
  /// inputs.layers.
  LograScorer(const Inputs& inputs, const GradientIndex& index, IndexMode mode, double damping, Progress& progress);

  Meaning meaning() const override;
  std::vector<std::string> warnings() const override { return warnings_; }
  std::optional<CurvatureFacts> curvature() const override;

  /// Any documents, in the index or not, through the model: the projected gradient of each, or with parts by position
  /// the queries' directions lifted out of the projection.
  Scores score(const Documents& documents, const Parts& parts, curvature::Workspace& workspace,
               Progress& progress) const override;

  /// The documents of the index, from their rows. `groups` may be empty.
  ScanResult scan(int64_t strongest, int64_t whole_rows, bool per_layer, const std::vector<LayerGroup>& groups,
                  Progress& progress) const;

  /// Σ_l ⟨Z_i, (H_l + λ_l)⁻¹ Z_i⟩ of the index's documents: [N]. k² multiply-adds a row and layer.
  at::Tensor self_influence(Progress& progress) const;

  const std::vector<size_t>& layers() const { return places_; }  ///< used, by place in the index

 private:
  /// The curvature of the i-th layer used, and its damped inverse, which must not outlive it.
  struct Solver {
    std::shared_ptr<const curvature::Curvature> curvature;
    std::unique_ptr<curvature::DampedInverse> inverse;
  };
  Solver solver_of(size_t i) const;
  curvature::LayerRank rank_in(const curvature::Curvature& curvature, size_t i) const;
  void require_finite(const at::Tensor& values, const char* what, size_t i) const;
  at::Tensor reach_of(const at::Tensor& rows) const;

  Inputs inputs_;
  const GradientIndex& index_;
  IndexMode mode_;
  curvature::Damping damping_;
  curvature::Projection projection_;
  std::vector<size_t> places_;    // of the layers used, in the index
  std::vector<nn::LayerId> ids_;  // the same, in the model
  at::Tensor directions_;         // [Q,K], signed; zero in the columns of other layers
  std::vector<std::string> warnings_;
};

/// The scorer of a parsed call; inputs.index must be there (Error(Usage)).
std::unique_ptr<LograScorer> make_logra_scorer(const FactoryCall& call, const Inputs& inputs, Progress& progress);

}  // namespace assay::attribute
