#include "assay/curvature/layer_summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "assay/core/plan.h"

namespace assay::curvature {

std::vector<LayerSummary> summarize(const nn::Architecture& architecture,
                                    const std::map<nn::LayerId, LayerBasis>& bases, at::ScalarType kept_in) {
  std::vector<LayerSummary> layers;
  for (const auto& [layer, basis] : bases) {
    layers.push_back({.name = layer_at(architecture, layer).name,
                      .inputs = basis.input.values.size(0),
                      .input_rank = rank_of(basis.input.values, kept_in),
                      .outputs = basis.output.values.size(0),
                      .output_rank = rank_of(basis.output.values, kept_in),
                      .input_stable_rank = stable_rank_of(basis.input.values),
                      .output_stable_rank = stable_rank_of(basis.output.values)});
  }
  return layers;
}

std::vector<std::string> rank_warnings(const std::vector<LayerSummary>& layers, const Damping& damping) {
  const auto lacks_rank = [](const LayerSummary& layer) { return layer.input_rank < layer.inputs; };
  const auto count = std::ranges::count_if(layers, lacks_rank);
  if (count == 0) return {};
  const auto share = [](const LayerSummary& layer) {
    return static_cast<double>(layer.input_rank) / static_cast<double>(layer.inputs);
  };
  const LayerSummary& worst = *std::ranges::min_element(layers, {}, share);
  return {fmt::format(
      "The input covariance of {} of {} lacks full rank ({}: {} of {}, stable rank {:.1f}): in directions "
      "that the documents never visit, {}.",
      count, format_counted(std::ssize(layers), "layer"), worst.name, worst.input_rank, worst.inputs,
      worst.input_stable_rank,
      damping.value > 0 ? "the damping alone decides"
                        : "nothing but rounding decides without a damping: scores can be huge and mean nothing")};
}

}  // namespace assay::curvature
