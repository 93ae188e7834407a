// What an attribution will cost, counted from shapes before anything is loaded beyond the model: multiply-adds of each
// stage (docs/ekfac.md derives them), traffic and calls of the operators around them, and what is held at once.
#pragma once

#include <cstdint>

#include "assay/attribute/scorer.h"
#include "assay/core/plan.h"

namespace assay::attribute {

/// Adds the stages of `method` to a plan, in the order in which they run; stages whose result is in the cache cost what
/// they would without it.
void add_stages(Plan& plan, const FactoryCall& method, const Inputs& inputs, const Parts& parts);

/// A training step on each of `documents` documents of mean length, with its search and the queries measured after it.
Cost step_cost(const Inputs& inputs, int64_t documents, int64_t queries);

}  // namespace assay::attribute
