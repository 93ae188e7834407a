// K-FAC (Martens & Grosse 2015, arXiv 1503.05671): P_l = S ⊗ A times the mean number of positions of an example, exact
// for one layer whose inputs and output gradients are independent of each other and between positions.
#include "assay/curvature/fit.h"
#include "assay/curvature/rotations.h"

namespace assay::curvature {

Fitted fit_kfac(const FitRequest& request, Workspace& workspace, Progress& progress) {
  auto bases = fit_bases(request, workspace, progress);
  std::map<nn::LayerId, at::Tensor> eigenvalues;
  for (const auto& [layer, basis] : bases) eigenvalues[layer] = basis.kronecker_eigenvalues();
  auto blocks = take_rotations(bases, request.model.matrix_dtype());
  for (auto& [layer, block] : blocks) block.eigenvalues = eigenvalues.at(layer);
  return {std::make_shared<FactoredCurvature>("kfac", std::move(blocks)),
          summarize(request.model.architecture(), bases, request.model.dtype())};
}

}  // namespace assay::curvature
