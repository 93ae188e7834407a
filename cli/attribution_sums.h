// What --group asks for, ranked: sums of scores over all questions, over the documents of one group, or both.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "assay/report/attribution_report.h"
#include "cli/attribution.h"

namespace assay::cli {

/// One list of sums, strongest support first and strongest opposition last; the middle is left out where it is long.
struct SummedRanking {
  std::optional<size_t> question;  ///< nothing: all questions together
  std::vector<int64_t> columns;    ///< of Attribution::scores: groups, or documents
};

/// Nothing without --group; of single questions only the first few are ranked.
std::vector<SummedRanking> summed_rankings(const AttributionInputs& inputs, const Attribution& found,
                                           const AttributeOptions& options);

nlohmann::ordered_json summed_json(const AttributionInputs& inputs, const Attribution& found,
                                   const std::vector<SummedRanking>& rankings);
/// The first ranking for the terminal; `factor` turns raw sums into what `unit` names.
std::string summed_table(const AttributionInputs& inputs, const Attribution& found,
                         const std::vector<SummedRanking>& rankings, double factor, const std::string& unit);
std::vector<report::SumView> summed_views(const AttributionInputs& inputs, const Attribution& found,
                                          const std::vector<SummedRanking>& rankings);

}  // namespace assay::cli
