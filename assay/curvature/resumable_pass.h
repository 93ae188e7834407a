// One walk over a dataset in fixed batches that survives being killed: its sums are saved on the way, and the same walk
// started again goes on from there with the same bits, because neither the batches nor their order depend on the run.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "assay/core/progress.h"
#include "assay/curvature/workspace.h"
#include "assay/data/dataset.h"
#include "assay/nn/batches_in_flight.h"

namespace assay::curvature {

using Batches = std::vector<std::vector<int64_t>>;  ///< rows of a dataset, in the order in which they are walked

struct Pass {
  std::string stage;  ///< for people: "covariances"
  std::string block;  ///< of the workspace, for the sums on the way
  TensorMap state;    ///< the sums; the step adds to them in place
  bool is_followed_by_work =
      false;  ///< long work comes before the results can be put: the finished sums are saved, too
};

/// Calls `step` with each batch, of a narrow model several at a time, each adding to the sums when its turn comes, and
/// saves the state at least every eighth of the walk, unless saving takes more than a tenth of the time. An
/// interruption (Error(Interrupted)) saves it too. The saved state stays until the caller has put the results and
/// removes `pass.block`.
void walk(const Pass& pass, const data::Dataset& dataset, const Batches& batches, Workspace& workspace,
          Progress& progress, nn::BatchesInFlight& flight,
          const std::function<void(std::span<const int64_t> rows, nn::BatchesInFlight::Turn& turn)>& step);

}  // namespace assay::curvature
