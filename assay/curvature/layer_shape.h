// The shape of a layer's gradient, from the architecture alone.
#pragma once

#include "assay/nn/architecture.h"

namespace assay::curvature {

struct LayerShape {
  int64_t rows = 0;     ///< O: outputs
  int64_t columns = 0;  ///< M: inputs, and one more for a bias

  int64_t size() const { return rows * columns; }
};

inline const nn::Layer& layer_at(const nn::Architecture& architecture, nn::LayerId layer) {
  return architecture.layers().at(static_cast<size_t>(layer));
}

inline LayerShape shape_of(const nn::Architecture& architecture, nn::LayerId id) {
  const nn::Layer& layer = layer_at(architecture, id);
  const auto& weight = architecture.parameters().at(static_cast<size_t>(layer.weight)).shape;
  const size_t rows = layer.is_transposed ? 1 : 0;
  return {weight.at(rows), weight.at(1 - rows) + (layer.bias >= 0 ? 1 : 0)};
}

}  // namespace assay::curvature
