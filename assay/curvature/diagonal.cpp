// Diagonal curvature: P_l = diag(mean_i D_i²) in the standard basis. One pass, O·M numbers a layer.
#include "assay/curvature/fit_passes.h"

namespace assay::curvature {

Fitted fit_diagonal(const FitRequest& request, Workspace& workspace, Progress& progress) {
  std::map<nn::LayerId, FactoredBlock> blocks;
  for (const nn::LayerId layer : request.layers) blocks[layer];
  for (auto& [layer, moments] : fit_moments(request, blocks, "diagonal", workspace, progress)) {
    blocks[layer].eigenvalues = moments;
  }
  return {std::make_shared<FactoredCurvature>("diagonal", std::move(blocks)), {}};
}

}  // namespace assay::curvature
