#include "assay/curvature/second_moments.h"

#include <ATen/ops/zeros.h>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::curvature {
namespace {

// Every position an example of its own: the confusion of Λ with an average over positions.
nn::FactoredGradient positions_as_examples(const nn::FactoredGradient& gradient) {
  nn::FactoredGradient split = gradient;
  split.input = gradient.input.flatten(0, 1).unsqueeze(1);
  split.output_gradient = gradient.output_gradient.flatten(0, 1).unsqueeze(1);
  if (gradient.mask.defined()) split.mask = gradient.mask.flatten().unsqueeze(1);
  return split;
}

// A layer that runs twice, taken once: its calls stand side by side along the positions.
nn::FactoredGradient first_half_of_positions(const nn::FactoredGradient& gradient) {
  nn::FactoredGradient half = gradient;
  const int64_t kept = (gradient.positions() + 1) / 2;
  half.input = gradient.input.narrow(1, 0, kept);
  half.output_gradient = gradient.output_gradient.narrow(1, 0, kept);
  if (gradient.mask.defined()) half.mask = gradient.mask.narrow(1, 0, kept);
  return half;
}

}  // namespace

SecondMoments::SecondMoments(const nn::Architecture& architecture, std::map<nn::LayerId, FactoredBlock> bases,
                             at::ScalarType dtype)
    : examples_(at::zeros({}, at::kDouble)) {
  for (auto& [layer, basis] : bases) {
    const LayerShape shape = shape_of(architecture, layer);
    layers_[layer] = {.name = layer_at(architecture, layer).name,
                      .basis = std::move(basis),
                      .squares = at::zeros({shape.rows, shape.columns}, dtype)};
  }
}

void SecondMoments::add(const nn::FactoredGradient& gradient) {
  Sums& sums = layers_.at(gradient.layer);
  nn::FactoredGradient whole = gradient;
  if (ASSAY_TWIN("curvature.positions_for_examples")) whole = positions_as_examples(gradient);
  if (ASSAY_TWIN("curvature.shared_weight_counted_once")) whole = first_half_of_positions(gradient);
  if (sums.basis.output_basis.defined()) {
    const at::Tensor& rotated = rotated_inputs_.of(whole, sums.basis.input_basis,
                                                   [&] { return whole.rotated_activations(sums.basis.input_basis); });
    whole = whole.rotate_onto(sums.basis.output_basis, rotated);
  }
  whole.add_squares_to(sums.squares);
}

void SecondMoments::merge(const SecondMoments& other) {
  for (auto& [layer, sums] : layers_) {
    sums.squares.add_(other.layers_.at(layer).squares);
  }
  if (!ASSAY_TWIN("curvature.merge_forgets_the_count")) examples_.add_(other.examples_);
}

at::Tensor SecondMoments::finish(nn::LayerId layer) const {
  const Sums& sums = layers_.at(layer);
  const at::Tensor moments = sums.squares.div(examples_.item<double>());
  if (!moments.isfinite().all().item<bool>()) {
    throw Error(ErrorKind::Numeric, "fitting the curvature: gradients of every layer must be finite, but those of \"" +
                                        sums.name +
                                        "\" are not; check the model with assay evaluate, or use --dtype fp64");
  }
  return moments;
}

TensorMap SecondMoments::state() const {
  TensorMap state{{"examples", examples_}};
  for (const auto& [layer, sums] : layers_) {
    state[std::to_string(layer) + ".squares"] = sums.squares;
  }
  return state;
}

}  // namespace assay::curvature
