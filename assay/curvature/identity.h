// The identity as a curvature: influence with it is the plain dot product of gradients.
#pragma once

#include <span>

#include "assay/curvature/factored_curvature.h"
#include "assay/nn/architecture.h"

namespace assay::curvature {

FactoredCurvature identity(const nn::Architecture& architecture, std::span<const nn::LayerId> layers);

}  // namespace assay::curvature
