// The tail-patch: a trust check of attribution without retraining (Chang et al., arXiv 2410.17413). From the final
// parameters θ one plain SGD step is taken on a single document, θ' = θ - s ∇ℓ_i(θ), and the change of a query's
// measurement f is measured; documents ranked first by a method are compared with random ones.
//
// The step s is searched so that the document's own loss falls by the same amount for every document (0.05 nats a
// counted token), because equal steps would reward long and surprising documents. f(θ') - f(θ) is exact; its
// first-order prediction -s ⟨∇f, ∇ℓ_i⟩ uses the gradients over all parameters. A small step tests the gradient, not the
// removal.
//
// Cost: for each document one forward and backward, about two forwards for the search, and one forward over the queries
// that ask for it; documents that several queries share pay the search once. Memory beside the model: two copies of
// the parameters and one more for each query in flight. The model is never written to. A model of bf16 is widened to
// float32 first, which costs a further copy: its steps and changes are those of the same weights without the rounding
// of products.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "assay/data/dataset.h"
#include "assay/nn/measurement.h"
#include "assay/nn/model.h"

namespace assay::train {

struct TailPatchOptions {
  double own_fall = 0.05;                   ///< fall of the document's own loss to aim at, nats a counted token
  double tolerance = 0.02;                  ///< relative, on that fall
  int max_evaluations = 12;                 ///< forward passes of one search at most
  int64_t memory_bytes = int64_t{2} << 30;  ///< for gradients of queries; at least one is held
  double level = 0.95;                      ///< of the interval
  int resamples = 2000;                     ///< of the bootstrap
  uint64_t seed = 0;                        ///< of the bootstrap
};

/// Which documents to step on for one query: rows of the training set.
struct TailPatchRequest {
  std::vector<int64_t> top = {};
  std::vector<int64_t> random = {};  ///< may be shared between queries, which is cheaper
};

/// One step on one document, seen from one query.
struct TailPatchDocument {
  int64_t row = 0;
  double predicted = 0;  ///< -s ⟨∇f, ∇ℓ⟩: first-order change of the measurement; turned round where less is better
  double measured = 0;  ///< f(θ') - f(θ), in the measurement's unit; turned round where less is better
  double own_fall = 0;  ///< what the document's own loss fell by, nats a counted token
  double step = 0;      ///< s
  bool reached = true;  ///< false: the loss could not fall so far; the farthest step found was taken
};

struct TailPatchComparison {
  std::vector<TailPatchDocument> top, random;  ///< in the order asked for, without skipped documents
  double top_mean = 0, random_mean = 0;        ///< of `measured`
  double difference = 0;                       ///< top_mean - random_mean
  double low = 0, high = 0;                    ///< bootstrap interval of the difference
  double welch_t = 0;                          ///< NaN with fewer than two documents on a side
};

struct TailPatchResult {
  std::vector<TailPatchComparison> queries;  ///< in the order of the requests
  int64_t skipped = 0;                       ///< documents without a counted token: no loss to lower
  int64_t unreached = 0;                     ///< documents whose loss could not fall so far
  int64_t gradients = 0;                     ///< backward passes over documents
  int64_t search_passes = 0;                 ///< forward passes over documents
  std::string parameters_hash;               ///< of θ, equal before and after
};

/// Queries whose gradients are held at once within `memory_bytes`, at least one; further ones take further rounds over
/// their documents.
int64_t queries_in_flight(const nn::Model& model, int64_t memory_bytes);

/// `requests[q]` belongs to `queries.examples[q]`. Throws Error(Internal) if the parameters' bits changed, and
/// Error(Numeric) when a document's gradient is not finite.
TailPatchResult tail_patch(const nn::Model& model, const data::Dataset& documents, const data::Dataset& queries,
                           std::span<const TailPatchRequest> requests, const nn::Measurement& measurement,
                           const TailPatchOptions& options = {}, Progress& progress = silent_progress());

}  // namespace assay::train
