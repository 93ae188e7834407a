// From an attribution to what its outputs say: the page, the JSON, the terminal's table. No result is computed here.
#pragma once

#include <nlohmann/json.hpp>

#include "assay/report/attribution_report.h"
#include "cli/attribution.h"
#include "cli/commands.h"

namespace assay::cli {

/// `seconds`: what the run took.
report::AttributionView attribution_view(const AttributionInputs& inputs, const Attribution& found, const AttributeOptions& options,
                                         const Session& session, const Plan& plan, double seconds);

/// result.json; docs/results.md lists its keys.
nlohmann::ordered_json attribution_json(const AttributionInputs& inputs, const Attribution& found, const AttributeOptions& options,
                                        const Session& session);

/// The first query's strongest documents and the trust check, for a terminal.
std::string attribution_table(const AttributionInputs& inputs, const Attribution& found, const AttributeOptions& options);

/// Score times this is the change in nats; absent where a score has no such unit.
std::optional<double> nats_per_raw(const AttributionInputs& inputs, const Attribution& found, const AttributeOptions& options);

}  // namespace assay::cli
