#include "assay/curvature/rotations.h"

#include <utility>

#include "assay/core/twin.h"

namespace assay::curvature {

std::map<nn::LayerId, FactoredBlock> take_rotations(std::map<nn::LayerId, LayerBasis>& bases, at::ScalarType dtype) {
  std::map<const void*, std::pair<at::Tensor, int64_t>> shared;  // rounded, and how many more will ask for it
  for (const auto& [layer, basis] : bases) {
    ++shared[basis.output.vectors.unsafeGetTensorImpl()].second;
    ++shared[basis.input.vectors.unsafeGetTensorImpl()].second;
  }
  const auto take = [&](at::Tensor& vectors) {
    auto& [rounded, waiting] = shared.at(vectors.unsafeGetTensorImpl());
    if (!rounded.defined() || ASSAY_TWIN("curvature.shared_rotation_rounded_twice")) rounded = vectors.to(dtype);
    const at::Tensor taken = --waiting > 0 ? rounded : std::move(rounded);
    vectors.reset();
    return taken;
  };
  std::map<nn::LayerId, FactoredBlock> blocks;
  for (auto& [layer, basis] : bases) {
    FactoredBlock& block = blocks[layer];
    if (dtype != basis.output.vectors.scalar_type()) {  // else they would keep the file mapped that holds the vectors
      basis.output.values = basis.output.values.clone();
      basis.input.values = basis.input.values.clone();
    }
    block.output_basis = take(basis.output.vectors);
    block.input_basis = take(basis.input.vectors);
  }
  return blocks;
}

}  // namespace assay::curvature
