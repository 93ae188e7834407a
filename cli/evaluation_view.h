// From an evaluation to its page. No result is computed here: examples are ordered by their loss per target and the
// beginnings of their texts are decoded.
#pragma once

#include "assay/core/plan.h"
#include "assay/evaluate/prediction.h"
#include "assay/report/evaluation_report.h"
#include "cli/commands.h"
#include "cli/loading.h"

namespace assay::cli {

/// What was evaluated: arrays are a dataset alone, texts came from documents through a tokenizer.
struct EvaluatedText {
  data::Tokenizer tokenizer;
  data::TokenizedCorpus loaded;
  int64_t context = 0;  ///< tokens of the longest example
};

/// `text` is null for arrays. `seconds`: what the evaluation took.
report::EvaluationView evaluation_view(const EvaluateOptions& options, const nn::Checkpoint& checkpoint,
                                       const data::Dataset& dataset, const EvaluatedText* text,
                                       const evaluate::Prediction& prediction, const Session& session, const Plan& plan,
                                       double seconds);

}  // namespace assay::cli
