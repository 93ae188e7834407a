// One document of the ranking: its score as a number and as a bar on the page's common axis (all cards together read as
// one bar chart), what the score means in probability, and the passage that carries it, shaded, with the full text
// behind.
#pragma once

#include <optional>

#include "assay/report/attribution_report.h"
#include "assay/report/color_steps.h"
#include "assay/report/html.h"
#include "assay/report/numbers.h"

namespace assay::report {

/// What all cards of a page share.
struct CardScale {
  ScoreUnit unit;
  SignedSteps steps = SignedSteps::shares();
  double largest_support = 0;     ///< of all scores of the page, ends of the common axis
  double largest_opposition = 0;  ///< ≥ 0
  Noun noun;
  Html question;                       ///< the completion, short, as the card quotes it
  std::optional<double> logprob_nats;  ///< of the completion; absent where a score is no change of it
  bool is_removal = false;             ///< "without it"; otherwise "if seen once more"
  double raw_factor = 1;               ///< printed value = raw × this
  bool is_signed = true;               ///< false: amounts, in ink and grey
  bool has_percentile = true;
};

struct Card {
  int rank = 1;
  bool is_large = true;  ///< a longer passage in larger type
  const ScoredDocument* document = nullptr;
  double value = 0;  ///< nats, or the raw score of a method without nats
  double percentile = 0;
};

/// Where the common axis has its zero, from 0 to 1.
double axis_zero(const CardScale& scale);

Html document_card(const Card& card, const CardScale& scale);

}  // namespace assay::report
