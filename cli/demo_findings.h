// What the demo found, as plain numbers: how much of what was planted each method retrieves, and what training again
// without it did. The report, the JSON and the terminal all read this.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "assay/data/generated/three_causes.h"
#include "assay/evaluate/removal.h"
#include "cli/demo_subject.h"

namespace assay::cli {

/// What one method retrieves for one question.
struct Retrieved {
  std::vector<bool> hits;  ///< the first k (or the last k, last first): was it planted?
  double precision = 0;    ///< at k
};

/// One method on the questions of one group.
struct MethodOnGroup {
  std::string name;  ///< "EK-FAC"
  std::string call;
  std::vector<Retrieved> top;     ///< a question each; k: its planted documents
  std::vector<Retrieved> bottom;  ///< k: its documents against; empty where there are none
  double precision = 0;           ///< mean over questions
  double bottom_precision = 0;
};

/// The models of one training set, asked all questions.
struct DemoTrainingSet {
  std::vector<int64_t> removed;  ///< rows of the corpus
  evaluate::Retrained log_probabilities;
  std::vector<std::string> says;    ///< by the first seed
  std::vector<bool> is_as_planted;  ///< whether it says the planted answer
};

/// What removal did to the questions of one group, in nats of the answer's log-probability.
struct RemovalOnGroup {
  double without_top = 0;  ///< mean over questions and seeds
  double without_random = 0;
  std::vector<double> predicted;  ///< a question each, for the removal of all top documents: the mean over layers
  std::vector<double> actual;
  std::optional<double> spearman;  ///< of the two; nothing where one is constant
};

struct DemoGroupFindings {
  data::CauseKind kind = data::CauseKind::Fact;
  std::vector<size_t> questions;  ///< places in the list of all questions
  std::vector<MethodOnGroup> methods;
  double mean_probability = 0;  ///< of the answers, by the first model trained on everything
  int64_t answered = 0;         ///< questions that this model answers as planted
  size_t shown = 0;  ///< place in `questions` of the one that is shown: of those answered as planted, the one
                     ///< with the median probability (of all, where none is)
  std::optional<RemovalOnGroup> removal;
};

/// The method of a group by name.
const MethodOnGroup& method_of(const DemoGroupFindings& group, std::string_view name);

/// Rows that our method ranks first for any question: as many a question as were planted for it.
std::vector<int64_t> top_documents(const data::ThreeCauses& corpus, const DemoScores& ours);

/// `everything`: the models whose scores these are.
std::vector<DemoGroupFindings> find_planted(const data::ThreeCauses& corpus, const std::vector<DemoScores>& scores,
                                            const DemoTrainingSet& everything);

/// What was proved by training again. ours: the scores of our method, sums over this many `layers`.
RemovalOnGroup removal_on(const DemoGroupFindings& group, const DemoScores& ours, int64_t documents, int64_t layers,
                          const DemoTrainingSet& everything, const DemoTrainingSet& without_top,
                          const DemoTrainingSet& without_random);

}  // namespace assay::cli
