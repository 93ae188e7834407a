// Influence functions: the first-order change of the measurement if a document got a little more weight in training,
// ⟨∇f_q, (P + λ)⁻¹ ∇ℓ_i⟩ with P one of the fitted curvatures (Koh & Liang 2017, arXiv 1703.04730; Grosse et al. 2023,
// arXiv 2308.03296). Divided by the number of training documents it is a change in nats as the layers predict it,
// each for itself, and by the number of layers, too, their mean. Approximate: linear in the weights, blind between
// layers, and P itself.
#include <fmt/format.h>

#include "assay/attribute/factors.h"
#include "assay/attribute/methods.h"

namespace assay::attribute {
namespace {

std::string family_title(const std::string& family) {
  return family == "ekfac" ? "EK-FAC" : family == "kfac" ? "K-FAC" : "Diagonal";
}

}  // namespace

std::unique_ptr<Scorer> make_influence(const FactoryCall& call, const Inputs& inputs, Progress& progress) {
  const auto model = remembering_model(call, inputs);
  const Inputs remembering = with_model(inputs, *model);
  curvature::Fitted fitted = fitted_curvature(call, remembering, progress);
  const double damping = call.number("damping");
  return std::make_unique<GradientScorer>(
      remembering,
      GradientMethod{.curvature = std::move(fitted.curvature),
                     .damping = curvature::Damping::relative(damping),
                     .scale = Scale::Raw,
                     .rank = call.is_word("rank", "full") ? 0 : call.integer("rank"),
                     .meaning = {.title = fmt::format("{} influence, damping {}", family_title(call.name()), damping),
                                 .unit = inputs.measurement.unit + " times training documents and layers",
                                 .is_signed = true,
                                 .is_counterfactual = true,
                                 .has_parts = true},
                     .fitted = std::move(fitted.layers),
                     .model = model});
}

}  // namespace assay::attribute
