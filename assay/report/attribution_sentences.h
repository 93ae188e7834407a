// Every sentence of the attribution page: templates that the numbers fill, chosen by rule. A template that has nothing
// to say gives nothing. For editors: the words stand together in the .cpp, in the order of the page.
#pragma once

#include <string>
#include <vector>

#include "assay/report/attribution_facts.h"
#include "assay/report/attribution_report.h"
#include "assay/report/document_card.h"
#include "assay/report/html.h"
#include "assay/report/page.h"

namespace assay::report {

// Headline.
std::string page_title(const QueryFacts& facts);
std::string headline_finding(const QueryFacts& facts);
Html headline_deck(const QueryFacts& facts);
std::vector<std::string> headline_facts(const AttributionView& view, std::int64_t documents);

// The query.
Html query_quote(const std::string& text);  ///< shortened in the middle
Html doubt_finding(const QueryFacts& facts);
Html doubt_note(const QueryFacts& facts);

// Documents.
Html cards_finding(const QueryFacts& facts);
Html cards_note(const QueryFacts& facts);
std::string top_heading(const QueryFacts& facts);
std::string bottom_heading(const QueryFacts& facts);
/// "Without it, “…” falls from 53.95 to 53.30 %"; empty without a probability.
Html effect_sentence(double value, const CardScale& scale);

// All scores, layers, missing checks.
std::string distribution_finding(const QueryFacts& facts);
Html distribution_note(const QueryFacts& facts);
std::string layers_finding(const LayerShares& layers);
Html layers_note(const LayerShares& layers, const Noun& noun);
Html not_covered_note(const AttributionView& view);

Html no_trust_sentence(const QueryFacts& facts);

/// What every report must say of its method; the command adds files, hashes, seed and versions.
std::vector<ProvenanceRow> method_rows(const AttributionView& view);

std::vector<ReadingLine> reading_lines(const QueryFacts& facts);

}  // namespace assay::report
