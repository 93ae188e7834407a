// The page that `assay demo` leaves: three planted causes, what each method finds of them, and the proof by training
// again without what was found. Every sentence follows from the numbers; where a simpler method does as well, it says
// so.
#pragma once

#include "assay/report/view.h"

namespace assay::report {

enum class DemoKind { Fact, DisputedFact, Rule };

enum class DocumentRole {
  Planted,  ///< teaches the answer
  Against,  ///< teaches another answer
  Decoy,    ///< shares words, teaches nothing about it
};

/// One document shown as an example of its kind.
struct DemoExample {
  DocumentRole role = DocumentRole::Planted;
  std::string text;
  std::int64_t count = 0;  ///< documents of this kind for this question
};

/// What one method retrieves for the question shown, and how well it does on the whole group.
struct DemoRanking {
  std::string method;          ///< "EK-FAC", "l-RelatIF", "gradient dot", "cosine", "representation", "BM25", "random"
  std::vector<bool> hits;      ///< the first k of the ranking (or the last k, last first): was it planted?
  double group_precision = 0;  ///< precision at k, mean over all questions of the group
  bool shares_curvature = false;  ///< built on the same curvature as ours (l-RelatIF): no simpler method
};

enum class TrainingSet { Everything, WithoutRandom, WithoutTop };

/// The question shown, asked of models that were trained again with the same seeds on one training set.
struct DemoRetrained {
  TrainingSet training_set = TrainingSet::Everything;
  std::int64_t removed = 0;    ///< documents left out, over all questions of all groups
  double probability = 0;      ///< of the answer, mean over seeds
  double probability_low = 0;  ///< smallest and largest over seeds
  double probability_high = 0;
  std::string says;              ///< greedy continuation of the first seed
  double group_change_nats = 0;  ///< change of the answer's log-probability against Everything, mean over the
                                 ///< group's questions and seeds; 0 for Everything
};

/// One question: what the scores predicted for the removal of all top documents, and what retraining gave.
struct PredictedChange {
  double predicted_nats = 0;
  double actual_nats = 0;
};

struct DemoGroup {
  DemoKind kind = DemoKind::Fact;
  std::string prompt;  ///< the question shown
  std::string answer;
  std::int64_t questions = 0;  ///< in the group
  std::int64_t answered = 0;   ///< of these, how many the model answers as planted
  std::vector<DemoExample> examples;
  std::vector<std::string> words_never_planted;  ///< words of the question shown that no planted document holds
  std::vector<DemoRanking> top;                  ///< first row is ours; each with as many hits as planted documents
  std::vector<DemoRanking> bottom;               ///< disputed facts only: the last ones, against the answer
  std::vector<DemoRetrained> retrained;          ///< in the order to show; the first is Everything
  std::vector<PredictedChange> changes;          ///< one a question of the group
  std::optional<double> change_spearman;         ///< of predicted and actual over these questions
};

struct DemoView {
  ModelFacts model;
  std::string method_title;         ///< "EK-FAC influence, damping 0.1"
  std::optional<double> stability;  ///< Spearman correlation of its scores between two label seeds, mean over questions
  std::int64_t documents = 0;
  std::int64_t corpus_tokens = 0;
  std::uint64_t seed = 0;
  int retrained_seeds = 0;  ///< models per training set
  std::string took;         ///< "3 min 12 s on 2 cores"
  std::string date;
  std::string attribute_command;    ///< the `assay attribute` line that gives the same scores from the files left
  std::vector<std::string> limits;  ///< further whole sentences on what the demo does not prove; may be empty
  std::vector<DemoGroup> groups;    ///< Fact, DisputedFact, Rule
  Provenance provenance;
};

/// The whole page. Same view, same bytes. Throws ErrorKind::Internal on a view that contradicts itself or is not
/// finite.
std::string demo_report(const DemoView& view);

}  // namespace assay::report
