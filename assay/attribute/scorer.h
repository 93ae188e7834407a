// What an attribution method is: made ready once for a set of queries (fit what needs fitting, differentiate the
// queries), it then scores any documents against all of them. One walk over the documents serves every query.
//
// Sign of every method: positive is a proponent, adding or keeping the document raises the measurement (for a loss:
// lowers it). Scores of a method that is counterfactual become nats by division through the number of training
// documents and of layers: every layer predicts for itself, and their sum counts what any of them could do once for
// each (docs/ekfac.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assay/attribute/fit_rows.h"
#include "assay/core/factory.h"
#include "assay/core/progress.h"
#include "assay/curvature/layer_summary.h"
#include "assay/curvature/resumable_pass.h"
#include "assay/curvature/spectrum.h"
#include "assay/data/example_texts.h"
#include "assay/nn/measurement.h"
#include "assay/nn/model.h"

namespace assay::attribute {

class GradientIndex;

/// Examples, and the texts they came from where the method reads words.
struct Documents {
  const data::Dataset& dataset;
  std::shared_ptr<const data::ExampleTexts> texts = nullptr;  ///< one an example, or null
};

/// What a method is made from. Everything must outlive the scorer.
struct Inputs {
  const nn::Model& model;
  Documents train;
  Documents queries;
  nn::Measurement measurement;
  std::vector<nn::LayerId> layers;  ///< tracked, ascending
  uint64_t seed = 0;
  int64_t memory_bytes = int64_t{4} << 30;  ///< for factors, for query directions, and for what one batch keeps
  std::string model_hash = {};              ///< of the weights, for the cache
  std::string cache_folder = {};            ///< where factors are kept; empty: nowhere
  int64_t fit_examples = kFitExamples;      ///< a curvature is fitted on at most so many, drawn by seed
  const GradientIndex* index = nullptr;     ///< for the method that reads one
};

/// What a scorer gives beside the scores.
struct Parts {
  bool per_token = false;
  bool per_layer = false;
  bool self_influence = false;
  std::vector<int64_t> queries = {};  ///< rows of the queries wanted; empty: all

  bool any() const noexcept { return per_token || per_layer || self_influence; }
};

/// N documents in their order, Q queries in theirs; all in the model's type.
struct Scores {
  at::Tensor total = {};           ///< [Q,N]
  at::Tensor per_token = {};       ///< [Q,N,T] or undefined; sums to total over T; T: positions of the longest document
  at::Tensor per_layer = {};       ///< [L,Q,N] or undefined; sums to total over L
  at::Tensor self_influence = {};  ///< [N] or undefined; none negative
  at::Tensor rank_errors = {};     ///< [Q] float64: share of each query's direction that its rank lost, or undefined
};

/// What a number means.
struct Meaning {
  std::string title;               ///< "EK-FAC influence, damping 0.1"
  std::string unit;                ///< of a raw score
  bool is_signed = true;           ///< false: nothing opposes
  bool is_closeness = false;       ///< then: of gradients; the highest are the nearest, and zero is no boundary
  bool is_counterfactual = false;  ///< score/(N·L) estimates the change of the measurement, in its unit
  bool has_parts = false;          ///< per token, per layer and self are defined
};

/// What a fitted curvature looks like.
struct CurvatureFacts {
  std::vector<curvature::LayerSummary> layers;  ///< of Kronecker factors
  std::optional<curvature::Spectrum> spectrum;  ///< against the method's damping
};

class Scorer {
 public:
  virtual ~Scorer() = default;

  virtual Meaning meaning() const = 0;
  /// Sentences that a reader of the scores must know: a covariance without full rank, say.
  virtual std::vector<std::string> warnings() const { return {}; }
  /// What a fitted curvature looks like; nothing for a method without one.
  virtual std::optional<CurvatureFacts> curvature() const { return std::nullopt; }
  /// Scores `documents` against every query. Sums on the way are kept in `workspace`. Throws Error(Usage) when `parts`
  /// are asked of a method that has none.
  virtual Scores score(const Documents& documents, const Parts& parts, curvature::Workspace& workspace,
                       Progress& progress) const = 0;
};

/// The scorer of a parsed method (methods_options.h): fits or finds its factors and differentiates the queries.
std::unique_ptr<Scorer> make_scorer(const FactoryCall& method, const Inputs& inputs, Progress& progress);

}  // namespace assay::attribute
