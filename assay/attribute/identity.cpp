// The dot product of gradients ⟨∇f_q, ∇ℓ_i⟩: influence without curvature, and what one plain gradient step on the
// document does to the measurement, to first order.
#include "assay/curvature/identity.h"

#include "assay/attribute/methods.h"

namespace assay::attribute {

std::unique_ptr<Scorer> make_identity(const FactoryCall&, const Inputs& inputs, Progress&) {
  return std::make_unique<GradientScorer>(
      inputs, GradientMethod{.curvature = std::make_shared<curvature::FactoredCurvature>(
                                 curvature::identity(inputs.model.architecture(), inputs.layers)),
                             .damping = curvature::Damping::none(),
                             .scale = Scale::Raw,
                             .rank = 0,
                             .meaning = {.title = "Gradient dot product",
                                         .unit = inputs.measurement.unit + " a unit step",
                                         .is_signed = true,
                                         .is_counterfactual = false,
                                         .has_parts = true},
                             .fitted = {}});
}

}  // namespace assay::attribute
