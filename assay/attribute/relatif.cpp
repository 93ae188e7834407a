// l-RelatIF (Barshan et al. 2020, arXiv 2003.11630): EK-FAC influence of a document divided by its own reach,
//
//   ⟨∇f_q, (P + λ)⁻¹ ∇ℓ_i⟩ / √⟨∇ℓ_i, (P + λ)⁻¹ ∇ℓ_i⟩,
//
// the influence at a fixed change of the model's own losses. Documents that move everything, outliers above all, no
// longer stand on top of every query. A ranking, not a change in nats. A document without a gradient scores 0.
#include <fmt/format.h>

#include "assay/attribute/factors.h"
#include "assay/attribute/methods.h"

namespace assay::attribute {

std::unique_ptr<Scorer> make_relatif(const FactoryCall& call, const Inputs& inputs, Progress& progress) {
  const auto model = remembering_model(call, inputs);
  const Inputs remembering = with_model(inputs, *model);
  curvature::Fitted fitted = fitted_curvature(call, remembering, progress);
  const double damping = call.number("damping");
  return std::make_unique<GradientScorer>(
      remembering, GradientMethod{.curvature = std::move(fitted.curvature),
                                  .damping = curvature::Damping::relative(damping),
                                  .scale = Scale::ByReach,
                                  .rank = call.is_word("rank", "full") ? 0 : call.integer("rank"),
                                  .meaning = {.title = fmt::format("l-RelatIF on EK-FAC, damping {}", damping),
                                              .unit = "influence over the root of the document's own",
                                              .is_signed = true,
                                              .is_counterfactual = false,
                                              .has_parts = true},
                                  .fitted = std::move(fitted.layers),
                                  .model = model});
}

}  // namespace assay::attribute
