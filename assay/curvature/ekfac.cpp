// EK-FAC (George et al. 2018, arXiv 1806.03884; for influence Grosse et al. 2023, arXiv 2308.03296): K-FAC's
// eigenvectors with eigenvalues measured in them. No diagonal in that basis is nearer to the Fisher matrix in Frobenius
// norm.
#include "assay/curvature/fit_passes.h"
#include "assay/curvature/rotations.h"

namespace assay::curvature {

Fitted fit_ekfac(const FitRequest& request, Workspace& workspace, Progress& progress) {
  auto bases = fit_bases(request, workspace, progress);
  auto blocks = take_rotations(bases, request.model.matrix_dtype());
  for (auto& [layer, moments] : fit_moments(request, blocks, "ekfac", workspace, progress)) {
    blocks[layer].eigenvalues = moments;
  }
  return {std::make_shared<FactoredCurvature>("ekfac", std::move(blocks)),
          summarize(request.model.architecture(), bases, request.model.dtype())};
}

}  // namespace assay::curvature
