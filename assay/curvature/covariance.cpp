#include "assay/curvature/covariance.h"

#include <ATen/ops/zeros.h>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/product_sums.h"

namespace assay::curvature {
namespace {

at::Tensor averaged(const at::Tensor& sum, double positions, const std::string& layer) {
  const at::Tensor mean = kernel::mirrored(sum).div_(positions);
  if (!mean.isfinite().all().item<bool>()) {
    throw Error(ErrorKind::Numeric,
                "fitting the curvature: activations and gradients of every layer must be finite, but "
                "those of \"" +
                    layer + "\" are not; check the model with assay evaluate, or use --dtype fp64");
  }
  return mean;
}

}  // namespace

std::string input_name(const nn::Architecture& architecture, nn::LayerId id) {
  const nn::Layer& layer = layer_at(architecture, id);
  return layer.input + (layer.bias >= 0 ? " with 1" : "") + (ASSAY_TWIN("curvature.inputs_apart") ? layer.name : "");
}

Covariances::Covariances(const nn::Architecture& architecture, std::span<const nn::LayerId> layers,
                         at::ScalarType dtype) {
  std::map<std::string, at::Tensor> inputs;
  for (const nn::LayerId layer : layers) {
    const LayerShape shape = shape_of(architecture, layer);
    const auto [input, is_first] = inputs.try_emplace(input_name(architecture, layer));
    if (is_first) input->second = at::zeros({shape.columns, shape.columns}, dtype);
    layers_[layer] = {.name = layer_at(architecture, layer).name,
                      .input = input->second,
                      .owns_input = is_first,
                      .output = at::zeros({shape.rows, shape.rows}, dtype),
                      .positions = at::zeros({}, at::kDouble)};
  }
}

void Covariances::add(const nn::FactoredGradient& gradient, bool counts_inputs) {
  Sums& sums = layers_.at(gradient.layer);
  if (ASSAY_TWIN("curvature.covariance_of_one_batch")) {
    sums.input.zero_();
    sums.output.zero_();
    sums.positions.zero_();
  }
  gradient.add_output_covariance_to(sums.output);
  if (!counts_inputs) return;
  nn::FactoredGradient counted = gradient;
  if (ASSAY_TWIN("curvature.padding_unmasked")) counted.mask = at::Tensor();
  if (sums.owns_input) counted.add_input_covariance_to(sums.input);
  sums.positions.add_(static_cast<double>(counted.real_positions()));
}

void Covariances::merge(const Covariances& other) {
  for (auto& [layer, sums] : layers_) {
    const Sums& more = other.layers_.at(layer);
    if (sums.owns_input) sums.input.add_(more.input);
    sums.output.add_(more.output);
    if (!ASSAY_TWIN("curvature.merge_forgets_the_count")) sums.positions.add_(more.positions);
  }
}

double Covariances::positions(nn::LayerId layer) const {
  const Sums& sums = layers_.at(layer);
  const double positions = sums.positions.item<double>();
  if (positions == 0) {
    throw Error(ErrorKind::Model,
                "fitting the curvature: every tracked layer must take part in the model's forward pass, "
                "but \"" +
                    sums.name + "\" never did; leave it out with --layers");
  }
  return positions;
}

at::Tensor Covariances::finish_input(nn::LayerId layer) const {
  return averaged(layers_.at(layer).input, positions(layer), layers_.at(layer).name);
}

at::Tensor Covariances::finish_output(nn::LayerId layer) const {
  return averaged(layers_.at(layer).output, positions(layer), layers_.at(layer).name);
}

KroneckerFactors Covariances::finish(nn::LayerId layer) const {
  return {finish_input(layer), finish_output(layer), positions(layer)};
}

TensorMap Covariances::state() const {
  TensorMap state;
  for (const auto& [layer, sums] : layers_) {
    const std::string prefix = std::to_string(layer) + ".";
    if (sums.owns_input) state[prefix + "input"] = sums.input;
    state[prefix + "output"] = sums.output;
    state[prefix + "positions"] = sums.positions;
  }
  return state;
}

}  // namespace assay::curvature
