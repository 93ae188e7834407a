// What a page derives from one query before it says anything: scores in printed units, who supports, the words that the
// shading points at. Computed once, read by sentences and figures.
#pragma once

#include <string>
#include <vector>

#include "assay/report/attribution_report.h"
#include "assay/report/color_steps.h"
#include "assay/report/numbers.h"
#include "assay/report/split_characters.h"
#include "assay/report/support.h"

namespace assay::report {

struct QueryFacts {
  const AttributionView* view = nullptr;
  const QueryView* query = nullptr;
  std::string prompt;
  std::string completion;
  std::vector<double> values;  ///< [N] nats, or raw where the method has none
  Support support;             ///< of `values`
  ScoreUnit unit;
  SignedSteps steps = SignedSteps::shares();  ///< of token values, one scale for all cards of the page
  bool has_shading = false;
  std::vector<std::string> words_for;  ///< runs of words that hold most of the support's shading; may be empty
  std::vector<std::string> words_against;

  bool has_nats() const { return view->nats_per_raw.has_value(); }
  double raw_factor() const { return view->nats_per_raw.value_or(1); }
  /// "without it" can be said: the searched documents are the training set.
  bool is_removal() const { return view->train_size.has_value(); }
  /// Shares of the support mean something: signed scores in nats.
  bool has_shares() const { return has_nats() && view->is_signed; }
  /// Sum over the completion; absent if any of its tokens was not predicted.
  std::optional<double> logprob_nats() const;
  /// What the completion is: "word", or "sentence" where it has several.
  std::string thing() const;
};

/// One entry a query. Checks the view: throws ErrorKind::Internal where it contradicts itself or is not finite.
std::vector<QueryFacts> facts_of(const AttributionView& view);

/// The text of tokens [begin, end).
std::string text_of(const std::vector<QueryToken>& tokens, std::size_t begin, std::size_t end);

}  // namespace assay::report
