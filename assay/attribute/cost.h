// What an attribution will cost, counted from shapes before anything is loaded beyond the model: multiply-adds of each
// stage (docs/ekfac.md derives them), traffic and calls of the operators around them, and what is held at once.
#pragma once

#include <cstdint>
#include <string>

#include "assay/attribute/scorer.h"
#include "assay/core/plan.h"

namespace assay::attribute {

/// Adds the stages that fit the method's curvature, in the order in which they run: none for a method without one, and
/// none that `cached_factors` finds done. `suffix` tells two fits apart in the table.
void add_fit_stages(Plan& plan, const FactoryCall& method, const Inputs& inputs, const std::string& suffix = "");

/// Adds the stages of `empirical_bases` (factors.h): none where the cache holds them.
void add_basis_stages(Plan& plan, const Inputs& inputs);

/// Adds the walk that scores. `fitted_on`: what the method's curvature is fitted on before it in the same run, if it is
/// not in the cache.
void add_score_stage(Plan& plan, const FactoryCall& method, const Inputs& inputs, const Parts& parts,
                     const std::string& suffix = "", const Inputs* fitted_on = nullptr);

/// Walks over the documents that scoring so many queries takes: one, unless their directions exceed the memory.
int64_t planned_walks(const FactoryCall& method, const Inputs& inputs, int64_t queries);

/// Adds what `shown_documents` takes for the first `queries` queries, up to `each` documents at either end of every
/// ranking: a walk over them with every token's score. Which they are is not known before, so they count as different
/// documents of the corpus's lengths. Nothing for a method without parts.
void add_shown_stage(Plan& plan, const FactoryCall& method, const Inputs& inputs, int64_t queries, int64_t each);

/// The trust check of so many queries (trust.h): steps on documents of mean length, each with its search, and the
/// queries measured after it.
Cost trust_cost(const Inputs& inputs, int64_t queries);

}  // namespace assay::attribute
