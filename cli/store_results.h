// What a result says of the gradient index that it came from: keys of result.json, arrays, a row of the page.
#pragma once

#include <nlohmann/json.hpp>

#include "assay/io/array.h"
#include "assay/report/view.h"
#include "cli/attribution.h"

namespace assay::cli {

/// result.json's "store": which index it was, and what was scored again.
nlohmann::ordered_json store_json(const AttributionInputs& inputs, const Attribution& found,
                                  const AttributeOptions& options);

/// Adds to one question's entry what the index says of it alone: the agreement with exact scores, rankings by groups of
/// layers.
void add_store_findings(nlohmann::ordered_json& entry, const AttributionInputs& inputs, const Attribution& found,
                        size_t query);

/// The ends of every question's ranking: top_rows, top_scores, bottom_rows, bottom_scores, and those of layer groups.
void add_store_arrays(io::Arrays& arrays, const Attribution& found);

/// "Index", its hash, what it holds.
report::ProvenanceRow store_row(const AttributionInputs& inputs);

}  // namespace assay::cli
