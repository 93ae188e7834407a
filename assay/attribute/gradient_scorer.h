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
  std::shared_ptr<const nn::Model> model = nullptr;            ///< the inputs' where it is the scorer's own
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
  struct Prepared {
    Directions directions;
    at::Tensor query_norms;  ///< [Q], where the scale needs them
  };
  Prepared prepare(std::span<const int64_t> queries) const;
  Scores score_queries(const Documents& documents, const Parts& parts, std::span<const int64_t> queries,
                       curvature::Workspace& workspace, Progress& progress) const;

  Inputs inputs_;
  GradientMethod method_;
};

/// How the queries go through memory: as many directions as fit are held in one walk over the documents. At full size
/// they are made and held alike; of rank r they are made in smaller groups, compressed, and collected, a half of the
/// memory for either.
struct QueryGroups {
  int64_t in_a_walk = 1;
  int64_t at_full_size = 1;
};
QueryGroups query_groups(const nn::Architecture& architecture, std::span<const nn::LayerId> layers,
                         at::ScalarType dtype, int64_t rank, int64_t bytes);

/// Numbers of one query's direction in these layers, of this rank (0: full).
int64_t numbers_of_a_direction(const nn::Architecture& architecture, std::span<const nn::LayerId> layers, int64_t rank);

}  // namespace assay::attribute
