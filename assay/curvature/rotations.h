// The eigenvectors of a fit as the products with gradients read them: in the type that the model multiplies in, a half
// of float32 where that is bf16.
#pragma once

#include <map>

#include "assay/curvature/eigenbasis.h"
#include "assay/curvature/factored_curvature.h"

namespace assay::curvature {

/// Blocks with the rotations of each layer and no eigenvalues yet. Moves the vectors out of `bases`, which keep their
/// values: rounded and not, they are the largest thing a fit holds (a workspace in memory goes on holding its own).
/// Layers that shared a rotation go on sharing it.
std::map<nn::LayerId, FactoredBlock> take_rotations(std::map<nn::LayerId, LayerBasis>& bases, at::ScalarType dtype);

}  // namespace assay::curvature
