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

/// Adds the walk that scores.
void add_score_stage(Plan& plan, const FactoryCall& method, const Inputs& inputs, const Parts& parts,
                     const std::string& suffix = "");

/// A training step on each of `documents` documents of mean length, with its search and the queries measured after it.
Cost step_cost(const Inputs& inputs, int64_t documents, int64_t queries);

}  // namespace assay::attribute
