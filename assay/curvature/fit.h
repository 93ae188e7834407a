// Fits a curvature to a dataset: streamed passes over fixed batches, each layer's sums living only as long as they are
// needed. Finished blocks are content-addressed in a cache folder, independent of damping, queries and method family:
// K-FAC and EK-FAC share the first pass, and an interrupted fit goes on where it was.
//
//   identity   nothing to fit
//   diagonal   one pass:  mean squares of gradients
//   kfac       one pass:  covariances, then eigendecompositions
//   ekfac      two passes: K-FAC's, then mean squares in its eigenbasis, with fresh labels
//
// Where the sums of all layers exceed the memory budget, layers are fitted in groups, each with a walk of its own.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "assay/curvature/eigenbasis.h"
#include "assay/curvature/factored_curvature.h"
#include "assay/curvature/labels.h"
#include "assay/curvature/layer_summary.h"
#include "assay/curvature/resumable_pass.h"
#include "assay/curvature/workspace.h"
#include "assay/nn/model.h"

namespace assay::curvature {

struct FitRequest {
  const nn::Model& model;
  const data::Dataset& dataset;
  const Batches& batches;
  std::vector<nn::LayerId> layers;  ///< ascending
  Labels labels = Labels::Sampled;
  uint64_t seed = 0;
  int64_t memory_bytes = int64_t{4} << 30;  ///< for the sums of one pass
};

/// What the statistics depend on, as one hash: model, data, layers, labels, seed, type and the layout's version.
/// `model_hash`: of the weights. Damping, queries, batch size and family are not part of it.
std::string fit_key(const FitRequest& request, const std::string& model_hash);

/// The block of a workspace that holds the sums on the way of walk `part` over these batches. Sums over other batches
/// have another name: half of one cut and half of another are not a walk.
std::string partial_block(const std::string& part, const Batches& batches);

/// Whether both covariances of every layer lie decomposed among `blocks` (Workspace::peek).
bool has_bases(const FitRequest& request, const std::set<std::string>& blocks);
/// Whether the mean squares of every layer do. `kind`: "ekfac" or "diagonal".
bool has_moments(const FitRequest& request, const std::string& kind, const std::set<std::string>& blocks);

/// First pass and eigendecompositions, by layer.
std::map<nn::LayerId, LayerBasis> fit_bases(const FitRequest& request, Workspace& workspace, Progress& progress);

/// A curvature, and what was seen of its factors; `layers` is empty where there are none.
struct Fitted {
  std::shared_ptr<const Curvature> curvature;
  std::vector<LayerSummary> layers;
};

Fitted fit_diagonal(const FitRequest& request, Workspace& workspace, Progress& progress);
Fitted fit_kfac(const FitRequest& request, Workspace& workspace, Progress& progress);
Fitted fit_ekfac(const FitRequest& request, Workspace& workspace, Progress& progress);

}  // namespace assay::curvature
