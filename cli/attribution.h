// An attribution from its options to its findings: what is loaded, what was asked, what came out. The command prints
// it, the demo asks for the same; there is no private path.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "assay/attribute/filter.h"
#include "assay/attribute/gradient_index.h"
#include "assay/attribute/groups.h"
#include "assay/attribute/index_scan.h"
#include "assay/attribute/reading.h"
#include "assay/attribute/scorer.h"
#include "assay/attribute/shown.h"
#include "assay/core/plan.h"
#include "assay/data/queries.h"
#include "assay/train/tail_patch.h"
#include "cli/attribute_options.h"
#include "cli/loading.h"

namespace assay::cli {

/// Everything that is loaded before anything is computed.
struct AttributionInputs {
  nn::Checkpoint checkpoint;
  data::Tokenizer tokenizer;
  int64_t context = 0;
  data::TokenizedCorpus text;  ///< what is scored; of an index: its documents as tokens, without files
  attribute::Groups groups;    ///< of the examples, where they are to be summed
  std::vector<data::Query> queries;
  data::Dataset query_dataset;
  std::vector<std::string> query_texts;
  FactoryCall method;
  nn::Measurement measurement;
  std::vector<nn::LayerId> layers;
  std::vector<std::string> not_covered;
  std::vector<attribute::LayerGroup> layer_groups;        ///< that a store is ranked by, too
  std::shared_ptr<const attribute::GradientIndex> index;  ///< where the documents are those of one
  attribute::IndexedDocuments indexed;                    ///< then: their texts and sources
  std::optional<data::TokenizedCorpus> whole;             ///< the corpus that `text` was filtered from, where it was
  attribute::Filtered filtered;                           ///< then: what was kept

  const data::Dataset& dataset() const { return text.encoded.dataset; }
  /// By example; of an index those that it keeps.
  std::shared_ptr<const data::ExampleTexts> texts() const;
  /// "stories.txt, document 3"
  std::string source(int64_t row) const;
  /// What a reader calls it: "3", its place in the corpus, or of several parts of a document "3, part 2".
  std::string label(int64_t row) const;
  attribute::Documents documents() const { return {dataset(), texts()}; }
  /// What the scored documents stand among: fits are made of all of it.
  const data::TokenizedCorpus& corpus() const { return whole ? *whole : text; }
};

AttributionInputs load_attribution(const AttributeOptions& options, Progress& progress);
attribute::Inputs method_inputs(const AttributionInputs& inputs, const AttributeOptions& options);
attribute::Parts parts_of(const AttributeOptions& options);
/// A hash over everything that decides the result.
std::string identity_of(const AttributionInputs& inputs, const AttributeOptions& options);
Plan plan_attribution(const AttributionInputs& inputs, const AttributeOptions& options);

/// What was found for one query beside its scores; only the first few queries are looked at so closely.
struct QueryFindings {
  attribute::Shown shown;
  std::vector<attribute::TokenReading> reading;
  std::optional<train::TailPatchComparison> trust;
};

/// What an index gave beside whole rows of scores: the ends of every question's ranking.
struct StoreFindings {
  attribute::RankingEnd top, bottom;
  std::vector<attribute::LayerGroup> groups;
  std::vector<attribute::RankingEnd> group_top;  ///< by group
  std::vector<at::Tensor> group_whole;           ///< by group [W,N]
  std::vector<int64_t> rescored;                 ///< rows that were scored again, ascending; they alone are told then
  std::optional<FactoryCall> exact;              ///< by this
  std::vector<double> agreement, scale;          ///< [W] between both, where there are two
};

struct Attribution {
  attribute::Meaning meaning;
  std::vector<std::string> warnings;
  attribute::Scores scores;  ///< as the groups that were asked for
  attribute::Scores apart;   ///< of every query and example
  std::vector<QueryFindings> queries;
  std::optional<attribute::CurvatureFacts> curvature;
  std::vector<double> stability;         ///< [Q] between two draws of labels, where that was asked for
  std::map<int64_t, std::string> texts;  ///< of the examples that are shown, by row
  std::optional<StoreFindings> store;    ///< then `apart` may hold the first questions alone
};

/// The rows that may be told: those with exact scores where some were scored again, else (empty) all.
std::span<const int64_t> told_among(const Attribution& found);
/// Computes it; sums on the way are kept below `folder` (nowhere if it is empty).
Attribution attribute_documents(const AttributionInputs& inputs, const AttributeOptions& options,
                                const std::string& folder, Progress& progress);

}  // namespace assay::cli
