// The parts of an attribution that are others where its documents lie in a gradient index: opening it, planning,
// scoring from its rows, scoring its strongest again.
#pragma once

#include <memory>
#include <vector>

#include "cli/attribution.h"

namespace assay::cli {

/// The index of --store, checked against model and tokenizer; null without one.
std::shared_ptr<const attribute::GradientIndex> open_index(const AttributeOptions& options,
                                                           const nn::Checkpoint& checkpoint,
                                                           const data::Tokenizer& tokenizer);

/// Its documents as if they had been read from a corpus; files and manifest are left empty.
data::TokenizedCorpus indexed_text(const attribute::IndexedDocuments& documents, Progress& progress);

/// Those of its layers that --layers names; Error(Usage) where it names others.
std::vector<nn::LayerId> index_layers(const attribute::GradientIndex& index, const AttributeOptions& options,
                                      const nn::Architecture& architecture);

/// The groups of --layer-groups, as places in the index; Error(Usage) where one has no layer of it.
std::vector<attribute::LayerGroup> layer_groups(const AttributionInputs& inputs, const AttributeOptions& options);

/// What scores the ends of the rankings again: EK-FAC in the same mode and with the same damping. Error(Usage) where
/// there is none.
FactoryCall exact_method(const FactoryCall& method);

/// closely: questions of which whole rows of scores are kept.
void plan_store(Plan& plan, const AttributionInputs& inputs, const AttributeOptions& options,
                const attribute::Inputs& given, int64_t closely);

/// Fills in the scores, the warnings and the store's findings. Returns the scorer whose scores the ends of the rankings
/// hold: for their parts and what they mean.
std::unique_ptr<attribute::Scorer> score_by_store(const AttributionInputs& inputs, const AttributeOptions& options,
                                                  const attribute::Inputs& given, int64_t closely, int64_t shown,
                                                  curvature::Workspace& workspace, Attribution& found,
                                                  Progress& progress);

}  // namespace assay::cli
