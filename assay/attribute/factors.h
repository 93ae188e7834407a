// The curvature of a method: fitted on the training documents, or found in the cache. Factors depend on model,
// documents, layers, labels and seed, never on queries, damping or where the result goes, so that the next question
// finds them. Of a corpus with more examples than Inputs::fit_examples a drawn subset is walked, and its content stands
// in the cache's key in the place of the corpus's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "assay/attribute/scorer.h"
#include "assay/core/factory.h"
#include "assay/curvature/fit.h"

namespace assay::attribute {

/// The curvature that a method stands on: "ekfac", "kfac" or "diagonal".
std::string curvature_family(const FactoryCall& method);

/// Fits it, or finds it in the cache. A cache that cannot be written costs time, never the run.
curvature::Fitted fitted_curvature(const FactoryCall& method, const Inputs& inputs, Progress& progress);

/// What of it lies in the cache now, for plans.
struct CachedFactors {
  bool bases = false;    ///< covariances, decomposed
  bool moments = false;  ///< mean squares of gradients
};
CachedFactors cached_factors(const FactoryCall& method, const Inputs& inputs);
/// Walks over the documents that a fit still takes.
int64_t walks_of_fit(const FactoryCall& method, const CachedFactors& cached);

/// The inputs' model, made to remember what its head says of a large vocabulary where a fit walks over the documents
/// before they are scored.
std::shared_ptr<const nn::Model> remembering_model(const FactoryCall& method, const Inputs& inputs);
/// What it may hold for that: a quarter of the memory for the rest.
int64_t head_memory_bytes(const Inputs& inputs);
/// Inputs of another model, which must outlive them.
Inputs with_model(const Inputs& inputs, const nn::Model& model);

/// Covariances of inputs and of output gradients, decomposed, on the documents' own labels: what is logged later are
/// gradients on these. Kept in the cache like the factors of a method with labels=empirical, whose first pass they are.
std::map<nn::LayerId, curvature::LayerBasis> empirical_bases(const Inputs& inputs, Progress& progress);
/// Whether they lie in the cache now, for plans.
bool has_empirical_bases(const Inputs& inputs);

}  // namespace assay::attribute
