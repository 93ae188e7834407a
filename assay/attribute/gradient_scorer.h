// What the gradient methods share: queries are differentiated and preconditioned, documents walked once for as many
// queries as fit the memory, further queries in further walks. A method adds its curvature and its scale.
#pragma once

#include <memory>

#include "assay/attribute/score_walk.h"
#include "assay/attribute/scorer.h"
#include "assay/curvature/curvature.h"

namespace assay::attribute {

/// How raw products become scores.
enum class Scale {
  Raw,          ///< ⟨∇f, (P+λ)⁻¹ ∇ℓ⟩
  ByReach,      ///< divided by √⟨∇ℓ, (P+λ)⁻¹ ∇ℓ⟩ of the document
  ByBothNorms,  ///< divided by ‖∇ℓ‖ ‖∇f‖
};

struct GradientMethod {
  std::shared_ptr<const curvature::Curvature> curvature;
  curvature::Damping damping;
  Scale scale = Scale::Raw;
  int64_t rank = 0;  ///< of compressed query directions; 0: full
  Meaning meaning;
  std::optional<std::vector<curvature::LayerSummary>> fitted;  ///< absent: nothing was fitted
};

class GradientScorer final : public Scorer {
 public:
  GradientScorer(const Inputs& inputs, GradientMethod method);

  Meaning meaning() const override { return method_.meaning; }
  std::vector<std::string> warnings() const override;
  std::optional<CurvatureFacts> curvature() const override;
  Scores score(const Documents& documents, const Parts& parts, curvature::Workspace& workspace,
               Progress& progress) const override;

 private:
  Scores score_queries(const Documents& documents, const Parts& parts, std::span<const int64_t> queries,
                       curvature::Workspace& workspace, Progress& progress) const;

  Inputs inputs_;
  GradientMethod method_;
};

/// How many queries' directions of these layers fit into `bytes`; at least 1.
int64_t queries_at_once(const nn::Architecture& architecture, std::span<const nn::LayerId> layers, at::ScalarType dtype,
                        int64_t rank, int64_t bytes);

}  // namespace assay::attribute
