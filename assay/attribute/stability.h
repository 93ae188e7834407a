// How far scores depend on the luck of sampled labels: the curvature is fitted a second time with other pseudo-labels
// drawn from the model, the same documents are scored again, and the two lists are compared by rank. Model, documents
// and queries stay the same, so what differs is noise of the estimate; of a corpus so large that a part of it is fitted
// (fit_rows.h), the part is drawn again, too. Costs a second fit and a second walk.
#pragma once

#include <span>
#include <vector>

#include "assay/attribute/scorer.h"

namespace assay::attribute {

/// The same inputs, with labels of another draw.
Inputs with_other_labels(Inputs inputs);

/// [Q] Spearman correlation over the documents between `scores` [Q,N], made by `method` from `inputs`, and those of the
/// same method with other labels (Grosse et al. 2023 draw them once). NaN where all scores of a query are equal.
/// Sums on the way are kept in `workspace`, which must not be that of the first draw.
std::vector<double> label_stability(const FactoryCall& method, const Inputs& inputs, const Documents& documents,
                                    const at::Tensor& scores, curvature::Workspace& workspace, Progress& progress);

/// Mean over the queries that have a correlation; NaN where none has.
double mean_stability(std::span<const double> of_queries);

}  // namespace assay::attribute
