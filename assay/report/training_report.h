// The page that `assay train` leaves: how the loss went down step by step, at which learning rate, and what the run was
// made of.
#pragma once

#include "assay/report/view.h"

namespace assay::report {

/// One step of the log.
struct TrainingStep {
  std::int64_t step = 0;  ///< 0-based
  double epoch = 0;       ///< epochs finished after it
  double loss = 0;        ///< of its batch, before the step, without penalties
  double rate = 0;        ///< learning rate
};

struct TrainingView {
  std::string recipe;  ///< its file's name: "words.toml"
  ModelFacts model;    ///< as trained
  std::string start;   ///< what the weights began from: "fresh weights, seed 0"
  std::string data;    ///< name of the corpus: "corpus.txt"
  Noun noun;           ///< what an example is called
  std::int64_t examples = 0;
  std::int64_t tokens = 0;         ///< of all examples
  std::int64_t documents_cut = 0;  ///< texts longer than `context`, of which the rest was not read
  int context = 0;
  std::int64_t left_out = 0;          ///< examples of the corpus that were not trained on
  std::string optimizer;              ///< in words: "AdamW, weight decay 0.1"
  std::string schedule;               ///< in words: "cosine from 0.003 to 0"
  std::string unit = "nats a token";  ///< of the losses
  std::int64_t batch = 0;             ///< examples a step
  std::int64_t steps_per_epoch = 0;
  std::vector<TrainingStep> log;          ///< every step in its order; may be empty
  std::vector<std::int64_t> checkpoints;  ///< steps of the checkpoints on the way
  std::int64_t resumed_from = 0;          ///< step of the checkpoint that this run went on from; 0: from the start
  double seconds = 0;                     ///< of the training itself; 0: not known
  double tokens_per_second = 0;           ///< counted tokens; 0: not known
  std::string date;                       ///< "22 November 2026"
  Provenance provenance;
};

/// The whole page. Same view, same bytes. Throws ErrorKind::Internal on a log whose steps do not rise or that holds
/// what is not finite: such a step is never taken.
std::string training_report(const TrainingView& view);

}  // namespace assay::report
