// The page that `assay evaluate` leaves: how well a model predicts its data, how the examples spread around that, which
// are the hardest and which the easiest, and what the number does not say.
#pragma once

#include "assay/report/view.h"

namespace assay::report {

/// One example that the page shows. Its loss is `EvaluationView::losses[index]`.
struct EvaluatedExample {
  std::int64_t index = 0;  ///< place in the data, from 0
  std::string id;          ///< stable id, hex
  std::string source;      ///< file and line, or whatever tells it apart; may be empty
  std::string text;        ///< its beginning, "…" at the end where more follows; empty for arrays
};

struct EvaluationView {
  ModelFacts model;
  Noun noun;                          ///< what an example is called
  Noun target = {"token", "tokens"};  ///< what is predicted, and counted by `targets`
  std::string unit = "nats";          ///< of a loss: "nats", "half squared error"
  std::string data;                   ///< name of the data: "stories.txt"
  std::int64_t tokens = 0;            ///< of all examples; 0 for arrays
  std::int64_t documents_cut = 0;     ///< texts longer than `context`, of which the rest was not read
  int context = 0;
  double loss = 0;                      ///< sum over all targets
  double loss_per_target = 0;           ///< NaN where nothing is counted
  std::optional<double> perplexity;     ///< e to the loss per target; absent where the loss is no log-probability
  std::optional<double> accuracy;       ///< share of examples whose likeliest class is their label
  std::int64_t choices = 0;             ///< tokens or classes to choose from at each target; 0: not a choice
  std::vector<double> losses;           ///< [N] summed over the example's targets
  std::vector<std::int64_t> targets;    ///< [N] counted positions; an example may have none
  std::vector<EvaluatedExample> worst;  ///< largest loss per target first; may be empty
  std::vector<EvaluatedExample> best;   ///< smallest first; may be empty
  std::string date;                     ///< "22 November 2026"
  Provenance provenance;
};

/// The whole page. Same view, same bytes. A loss that is not a number is said, not refused: it is a finding about the
/// model; such an example is left out of `worst` and `best`. Throws ErrorKind::Internal on a view that contradicts
/// itself.
std::string evaluation_report(const EvaluationView& given);

}  // namespace assay::report
