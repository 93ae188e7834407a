// The page that `assay attribute` leaves: which documents make the model say a sentence, through which words and
// layers, and how far to believe it. The first query is told in full, every further one in a short section of its own.
// Works for every method: without a scale in nats there are no probabilities, without token scores no shading, without
// layer shares no map; each absent part leaves its place empty.
#pragma once

#include "assay/report/view.h"

namespace assay::report {

/// A token that the model might have said at one place.
struct Alternative {
  std::string text;
  double probability = 0;
};

struct QueryToken {
  std::string text;                       ///< bytes as the tokenizer decodes it, blanks included; leave BOS out
  std::optional<double> logprob_nats;     ///< log p(token | everything before); absent where nothing was before
  std::vector<Alternative> alternatives;  ///< strongest tokens at this place, the token itself among them, best first;
                                          ///< completion only, five are plenty, may be empty
};

/// One training document that the page shows. Its score is `QueryScores::scores[index]`.
struct ScoredDocument {
  std::int64_t index = 0;            ///< the column of the scores, from 0
  std::string id;                    ///< stable id, hex
  std::string source;                ///< file and line, or whatever tells it apart; may be empty
  std::vector<std::string> tokens;   ///< its text in tokens, in order, BOS left out; one whole text is fine too
  std::vector<double> token_scores;  ///< empty, or one a token, raw: they add up to the document's raw score
  std::string label = {};            ///< what it is called where that is not its index: of a part, or of a choice
};

/// Where in the network the support of the shown documents flows: signed shares that add up to 1.
struct LayerShares {
  struct Matrix {
    std::string group;  ///< "attention", "MLP": neighbours of one group share a heading
    std::string name;   ///< "q", "gate"
  };
  std::vector<Matrix> matrices;             ///< the columns
  std::vector<std::vector<double>> shares;  ///< [blocks][matrices], block 0 (nearest the input) first
  int documents = 0;                        ///< how many of the strongest documents it sums over
};

struct TrustDocument {
  std::int64_t index = 0;
  std::optional<double> predicted_nats;  ///< by the scores, where the model was trained again
  double measured_nats = 0;              ///< change of the query's measurement; + : the document helped it
  std::string label = {};                ///< as that of a ScoredDocument
};

/// The check that stands beside the scores: a step of training on single documents, or retraining without them.
struct TrustCheck {
  std::string measure = "logprob";  ///< what was measured: logprob, loss, margin
  bool is_retraining = false;       ///< false: tail-patch, one step on the document alone
  std::string step;                 ///< one sentence on what was done, e.g. "From the final model, one plain SGD
                                    ///< step is taken on a single document, sized so that …"
  std::vector<TrustDocument> top;   ///< strongest first
  std::vector<TrustDocument> random;
  Interval top_mean;  ///< of measured_nats
  Interval random_mean;
  double t = 0;                   ///< Welch's t of top against random
  std::int64_t unreached = 0;     ///< documents of both sides whose own loss could not fall as far as the step asks
  std::optional<Interval> ratio;  ///< measured over predicted; only with retraining
};

/// Everything about one query.
struct QueryView {
  std::vector<QueryToken> tokens;      ///< question, then completion
  int prompt_tokens = 0;               ///< how many of them belong to the question
  bool has_boundary_token = false;     ///< a token held the end of the question and the start of the completion
  std::vector<double> scores;          ///< [N] raw, in corpus order
  std::vector<ScoredDocument> top;     ///< strongest supporters, best first
  std::vector<ScoredDocument> bottom;  ///< strongest opponents, strongest first; may be empty
  std::optional<LayerShares> layers;
  std::optional<TrustCheck> trust;
};

/// One sum of raw scores: over the documents of a group, or over all queries for one document.
struct SumRow {
  std::string name;  ///< of the group, or the document's text
  std::int64_t documents = 1;
  std::int64_t index = 0;  ///< of the group or the document
  double score = 0;
  std::string label = {};  ///< as that of a ScoredDocument
};

/// Sums in the order in which they are shown.
struct SumView {
  std::string title;  ///< "Groups, for question 1"
  bool is_groups = false;
  std::vector<SumRow> rows;
};

/// Eigenvalues of a fitted curvature against its damping, over all directions of all layers.
struct CurvatureView {
  double low_decade = 0;  ///< log10 of eigenvalue over damping at the left of the first bin
  double decades_per_bin = 0;
  std::vector<std::int64_t> directions;  ///< by bin
  std::int64_t below_damping = 0;
  std::int64_t total = 0;
  double smallest_stable_rank = 0;  ///< of the layers' input covariances; 0: there are none
  double largest_stable_rank = 0;
};

struct AttributionView {
  ModelFacts model;
  std::string method;                  ///< factory string: "ekfac(damping=0.1,labels=sampled)"
  std::string method_title;            ///< "EK-FAC influence, damping 0.1"
  bool is_signed = true;               ///< false: BM25, random; then nothing opposes
  bool of_gradients = false;           ///< scores compare gradients, not the texts alone
  bool is_projected = false;           ///< then: seen through an index's projection
  bool is_closeness = false;           ///< then: of gradients, so that the score does know the model
  std::string measure = "logprob";     ///< logprob, loss, margin
  std::optional<double> nats_per_raw;  ///< score in nats = raw score × this; absent where a score has no unit
  std::string score_unit;              ///< what a raw score is, for methods without nats: "cosine", "BM25"
  std::string corpus;                  ///< name of the corpus: "tinystories_1000.txt"
  Noun noun;
  std::int64_t filtered_from = 0;  ///< documents of which a filter kept those that were scored; 0: no filter
  std::int64_t corpus_tokens = 0;
  std::int64_t documents_cut = 0;    ///< longer than the context; `context` tokens of them were read
  std::int64_t documents_split = 0;  ///< or read in parts of that many tokens
  int context = 0;
  std::optional<std::int64_t> train_size;  ///< documents in the model's training set, when known; absent: the searched
                                           ///< documents may not be what the model learned from, and the page says so
  std::string date;                        ///< "22 November 2026", given: the page knows no clock
  std::vector<std::string> layers_not_covered;  ///< "embedding, which is also the output head"
  std::optional<double> stability;              ///< Spearman correlation of the scores between two label seeds
  std::optional<CurvatureView> curvature;       ///< where one was fitted and damped
  std::vector<std::string> warnings;            ///< whole sentences, e.g. a covariance without full rank
  std::vector<QueryView> queries;               ///< at least one
  std::vector<SumView> sums;                    ///< where scores were summed
  std::int64_t questions = 0;                   ///< asked, of which `queries` are told; 0: as many
  Provenance provenance;  ///< the page adds rows on network, method, measurement, sign, what is not covered
};

/// The whole page. Same view, same bytes. Throws ErrorKind::Internal on a view that contradicts itself or is not
/// finite.
std::string attribution_report(const AttributionView& view);

}  // namespace assay::report
