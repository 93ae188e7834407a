// K-FAC (Martens & Grosse 2015, arXiv 1503.05671): P_l = S ⊗ A times the mean number of positions of an example, exact
// for one layer whose inputs and output gradients are independent of each other and between positions.
#include "assay/curvature/fit.h"

namespace assay::curvature {

Fitted fit_kfac(const FitRequest& request, Workspace& workspace, Progress& progress) {
  std::map<nn::LayerId, FactoredBlock> blocks;
  const auto bases = fit_bases(request, workspace, progress);
  for (const auto& [layer, basis] : bases) {
    blocks[layer] = {basis.output.vectors, basis.input.vectors, basis.kronecker_eigenvalues()};
  }
  return {std::make_shared<FactoredCurvature>("kfac", std::move(blocks)),
          summarize(request.model.architecture(), bases)};
}

}  // namespace assay::curvature
