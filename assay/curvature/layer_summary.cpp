#include "assay/curvature/layer_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "assay/core/plan.h"

namespace assay::curvature {
namespace {

// A direction without curvature is divided by the damping alone, and a product keeps of it what rounding left, epsilon
// over the damping: a hundredth of a score where the damping is a hundred epsilons of the mean eigenvalue.
const char* what_decides(const Damping& damping, at::ScalarType scored_in, Undamped undamped) {
  const double epsilon =
      scored_in == at::kDouble ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  const bool is_share = damping.kind == Damping::Kind::Relative;
  if (damping.value > 0 && is_share && damping.value < 100 * epsilon)
    return "little but rounding decides at a damping so small: scores can be huge and mean nothing";
  if (damping.value > 0) return "the damping alone decides";
  if (undamped == Undamped::LeavesOut) return "nothing counts without a damping";
  return "nothing but rounding decides without a damping: scores can be huge and mean nothing";
}

}  // namespace

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

std::vector<std::string> rank_warnings(const std::string& what, const std::vector<LayerRank>& layers,
                                       const Damping& damping, at::ScalarType scored_in, Undamped undamped) {
  const auto lacks_rank = [](const LayerRank& layer) { return layer.rank < layer.dimensions; };
  const auto count = std::ranges::count_if(layers, lacks_rank);
  if (count == 0) return {};
  const auto share = [](const LayerRank& layer) {
    return static_cast<double>(layer.rank) / static_cast<double>(layer.dimensions);
  };
  const LayerRank& worst = *std::ranges::min_element(layers, {}, share);
  return {
      fmt::format("The {} of {} of {} lacks full rank ({}: {} of {}{}): in directions that the documents never "
                  "visit, {}.",
                  what, count, format_counted(std::ssize(layers), "layer"), worst.name, worst.rank, worst.dimensions,
                  worst.stable_rank > 0 ? fmt::format(", stable rank {:.1f}", worst.stable_rank) : "",
                  what_decides(damping, scored_in, undamped))};
}

std::vector<std::string> rank_warnings(const std::vector<LayerSummary>& layers, const Damping& damping,
                                       at::ScalarType scored_in) {
  std::vector<LayerRank> inputs;
  for (const LayerSummary& layer : layers)
    inputs.push_back({layer.name, layer.input_rank, layer.inputs, layer.input_stable_rank});
  return rank_warnings("input covariance", inputs, damping, scored_in);
}

}  // namespace assay::curvature
