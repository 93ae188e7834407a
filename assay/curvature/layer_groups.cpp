#include "assay/curvature/layer_groups.h"

#include <c10/core/ScalarType.h>

#include <set>

#include "assay/curvature/covariance.h"

namespace assay::curvature {

int64_t statistics_bytes(Statistics statistics, const nn::Architecture& architecture,
                         std::span<const nn::LayerId> layers, at::ScalarType dtype) {
  int64_t numbers = 0;
  std::set<std::string> inputs;
  for (const nn::LayerId layer : layers) {
    const LayerShape shape = shape_of(architecture, layer);
    if (statistics != Statistics::Covariances) numbers += shape.size();
    if (statistics == Statistics::Moments) continue;
    numbers += shape.rows * shape.rows;
    if (inputs.insert(input_name(architecture, layer)).second) numbers += shape.columns * shape.columns;
  }
  return numbers * static_cast<int64_t>(c10::elementSize(dtype));
}

std::vector<std::vector<nn::LayerId>> layer_groups(Statistics statistics, const nn::Architecture& architecture,
                                                   std::span<const nn::LayerId> layers, at::ScalarType dtype,
                                                   int64_t budget_bytes) {
  std::vector<std::vector<nn::LayerId>> groups;
  for (size_t begin = 0, end = 0; begin < layers.size(); begin = end) {
    // Layers that read the same input go in or stay out together.
    const std::string input = input_name(architecture, layers[begin]);
    while (end < layers.size() && input_name(architecture, layers[end]) == input) ++end;
    std::vector<nn::LayerId> extended = groups.empty() ? std::vector<nn::LayerId>{} : groups.back();
    const auto together = layers.subspan(begin, end - begin);
    extended.insert(extended.end(), together.begin(), together.end());
    if (!groups.empty() && statistics_bytes(statistics, architecture, extended, dtype) <= budget_bytes) {
      groups.back() = std::move(extended);
    } else {
      groups.emplace_back(together.begin(), together.end());
    }
  }
  return groups;
}

}  // namespace assay::curvature
