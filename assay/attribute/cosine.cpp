// The cosine of gradients ⟨∇f_q, ∇ℓ_i⟩ / (‖∇f_q‖ ‖∇ℓ_i‖), over all tracked layers together: a dot product that long and
// surprising documents do not win by size. 0 where either gradient is zero.
#include "assay/attribute/methods.h"
#include "assay/curvature/identity.h"

namespace assay::attribute {

std::unique_ptr<Scorer> make_cosine(const FactoryCall&, const Inputs& inputs, Progress&) {
  return std::make_unique<GradientScorer>(
      inputs, GradientMethod{.curvature = std::make_shared<curvature::FactoredCurvature>(
                                 curvature::identity(inputs.model.architecture(), inputs.layers)),
                             .damping = curvature::Damping::none(),
                             .scale = Scale::ByBothNorms,
                             .rank = 0,
                             .meaning = {.title = "Cosine of gradients",
                                         .unit = "cosine",
                                         .is_signed = true,
                                         .is_counterfactual = false,
                                         .has_parts = true},
                             .fitted = {}});
}

}  // namespace assay::attribute
