#include "assay/curvature/identity.h"

#include <ATen/ops/ones.h>

#include "assay/curvature/layer_shape.h"

namespace assay::curvature {

FactoredCurvature identity(const nn::Architecture& architecture, std::span<const nn::LayerId> layers) {
  std::map<nn::LayerId, FactoredBlock> blocks;
  for (const nn::LayerId layer : layers) {
    const LayerShape shape = shape_of(architecture, layer);
    blocks[layer] = {.eigenvalues = at::ones({1, 1}, at::kDouble).expand({shape.rows, shape.columns})};
  }
  return {"identity", std::move(blocks)};
}

}  // namespace assay::curvature
