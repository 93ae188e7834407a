// Influence functions: the first-order change of the measurement if a document got a little more weight in training,
// ⟨∇f_q, (P + λ)⁻¹ ∇ℓ_i⟩ with P one of the fitted curvatures (Koh & Liang 2017, arXiv 1703.04730; Grosse et al. 2023,
// arXiv 2308.03296). Divided by the number of training documents it is a change in nats. Approximate: linear in the
// weights, blind between layers, and P itself.
#include <fmt/format.h>

#include "assay/attribute/methods.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/cache.h"
#include "assay/core/error.h"

namespace assay::attribute {
namespace {

std::string family_title(const std::string& family) {
  return family == "ekfac" ? "EK-FAC" : family == "kfac" ? "K-FAC" : "Diagonal";
}

// A folder of the cache for these factors. A cache that cannot be written costs time, never the run.
curvature::Workspace factor_workspace(const curvature::FitRequest& request, const Inputs& inputs, Progress& progress) {
  if (inputs.cache_folder.empty()) return {};
  try {
    create_cache(inputs.cache_folder);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Resource) throw;
    progress.note(fmt::format("factors are not kept: {}", error.what()));
    return {};
  }
  const std::string key = curvature::fit_key(request, inputs.model_hash);
  return curvature::Workspace(inputs.cache_folder + "/factors-" + key, key, progress);
}

}  // namespace

curvature::Fitted fitted_curvature(const std::string& family, const FactoryCall& call, const Inputs& inputs,
                                   Progress& progress) {
  const curvature::Batches batches = walk_batches(inputs.model, inputs.train.dataset);
  const curvature::FitRequest request{.model = inputs.model,
                                      .dataset = inputs.train.dataset,
                                      .batches = batches,
                                      .layers = inputs.layers,
                                      .labels = curvature::labels_named(call.text("labels")),
                                      .seed = inputs.seed,
                                      .memory_bytes = inputs.memory_bytes};
  curvature::Workspace workspace = factor_workspace(request, inputs, progress);
  if (family == "diagonal") return curvature::fit_diagonal(request, workspace, progress);
  if (family == "kfac") return curvature::fit_kfac(request, workspace, progress);
  return curvature::fit_ekfac(request, workspace, progress);
}

std::unique_ptr<Scorer> make_influence(const FactoryCall& call, const Inputs& inputs, Progress& progress) {
  curvature::Fitted fitted = fitted_curvature(call.name(), call, inputs, progress);
  const double damping = call.number("damping");
  return std::make_unique<GradientScorer>(
      inputs,
      GradientMethod{.curvature = std::move(fitted.curvature),
                     .damping = curvature::Damping::relative(damping),
                     .scale = Scale::Raw,
                     .rank = call.is_word("rank", "full") ? 0 : call.integer("rank"),
                     .meaning = {.title = fmt::format("{} influence, damping {}", family_title(call.name()), damping),
                                 .unit = inputs.measurement.unit + " times training documents",
                                 .is_signed = true,
                                 .is_counterfactual = true,
                                 .has_parts = true},
                     .warnings = curvature::rank_warnings(fitted.layers)});
}

}  // namespace assay::attribute
