// An index takes further documents only as it took the first: an option that says otherwise is refused by its name.
#pragma once

#include <vector>

#include "assay/attribute/gradient_index.h"
#include "assay/nn/checkpoint.h"
#include "cli/index_options.h"

namespace assay::cli {

/// Throws Error(Usage) where an option of `assay index --append` contradicts the index that is there, Error(Data) where
/// the model is another. `layers` are those that would be indexed.
void require_same_settings(const IndexOptions& options, const attribute::IndexAbout& there,
                           const nn::Checkpoint& checkpoint, const std::vector<nn::LayerId>& layers);

}  // namespace assay::cli
