#include "assay/nn/gradients.h"

#include <ATen/core/grad_mode.h>
#include <fmt/core.h>
#include <torch/csrc/autograd/autograd.h>

#include "assay/core/error.h"

namespace assay::nn {

at::Tensor stream_gradients(const Model& model, const data::Batch& batch, const Measurement& measurement,
                            std::span<const LayerId> layers, const GradientSink& sink) {
  std::vector<bool> fired(model.architecture().layers().size(), false);
  const auto watch = [&](const FactoredGradient& gradient) {
    fired[static_cast<size_t>(gradient.layer)] = true;
    sink(gradient);
  };
  const at::AutoGradMode with_history(true);
  const Run run = model.run(batch, Taps{}.capture({layers.begin(), layers.end()}, watch));
  const at::Tensor values = measurement.evaluate(run.output, batch);
  if (!values.requires_grad()) return values;  // nothing counted, or no tracked layer under it
  torch::autograd::backward({values.sum()}, {});
  for (LayerId id : layers) {
    if (fired[static_cast<size_t>(id)]) continue;
    throw Error(
        ErrorKind::Internal,
        fmt::format("taking gradients: every tracked layer must take part in the forward pass, and \"{}\" did not; "
                    "leave it out of --layers and report this as a bug",
                    model.architecture().layers()[static_cast<size_t>(id)].name));
  }
  return values.detach();
}

at::Tensor evaluate(const Model& model, const data::Batch& batch, const Measurement& measurement) {
  const at::NoGradGuard no_history;
  return measurement.evaluate(model.run(batch).output, batch);
}

}  // namespace assay::nn
