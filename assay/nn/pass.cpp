#include "assay/nn/pass.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <fmt/core.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/twin.h"
#include "assay/kernel/autograd_node.h"
#include "assay/kernel/bf16_rounding.h"
#include "assay/kernel/products.h"

namespace assay::nn {

// The calls of one captured layer in one run. Handed over when the last of them has its gradient.
struct Pass::Capture {
  LayerId layer;
  bool has_bias;
  at::Tensor mask;  // undefined when nothing is padded
  GradientSink sink;
  int64_t calls = 0;
  std::vector<at::Tensor> inputs, gradients;

  void deliver(const at::Tensor& input, const at::Tensor& gradient) {
    if (ASSAY_TWIN("nn.repeated_layer_counted_once") && !inputs.empty()) inputs.clear(), gradients.clear();
    inputs.push_back(input);
    gradients.push_back(gradient);
    if (--calls > 0) return;
    const bool single = inputs.size() == 1;
    FactoredGradient pair;
    pair.layer = layer;
    pair.has_bias = has_bias;
    pair.input = single ? inputs[0] : at::cat(inputs, 1);
    pair.output_gradient = single ? gradients[0] : at::cat(gradients, 1);
    if (mask.defined()) pair.mask = single ? mask : at::cat(std::vector<at::Tensor>(inputs.size(), mask), 1);
    inputs.clear();
    gradients.clear();
    sink(pair);
  }
};

Pass::Pass(const Architecture& architecture, const Parameters& parameters, const data::Batch& batch, const Taps& taps,
           const RunOptions& options, std::shared_ptr<Recording> recording)
    : architecture_(architecture),
      parameters_(parameters),
      batch_(batch),
      options_(options),
      recording_(std::move(recording)) {
  const std::vector<std::string>& sites = architecture.sites();
  if (!taps.taps().empty()) taps_by_site_.resize(sites.size());
  for (const Tap& tap : taps.taps()) {
    bool found = false;
    for (size_t i = 0; i < sites.size(); ++i) {
      if (!matches_pattern(sites[i], tap.site)) continue;
      taps_by_site_[i].push_back(&tap);
      found = true;
    }
    if (!found) {
      throw Error(
          ErrorKind::Usage,
          fmt::format(
              "tapping a model: site \"{}\" must be one of the {} sites of this {} model, and it is not{}; list "
              "them with: assay inspect MODEL --sites",
              tap.site, sites.size(), architecture.family(), closest_clause(tap.site, sites)));
    }
  }
  if (!taps.captured().empty()) captures_.resize(architecture.layers().size());
  for (LayerId id : taps.captured()) {
    const Layer& layer = architecture.layers().at(static_cast<size_t>(id));
    captures_[static_cast<size_t>(id)] = std::make_shared<Capture>(
        Capture{id, layer.bias >= 0, batch.is_padded ? batch.mask : at::Tensor(), taps.sink(), 0, {}, {}});
  }
}

at::Tensor Pass::apply(const Tap& tap, const std::string& site, const at::Tensor& value) {
  const auto change_rows = [&](auto change) {
    if (tap.rows.empty()) return change(value);
    at::Tensor result = value.clone();
    for (int64_t row : tap.rows) result.select(0, row).copy_(change(value.select(0, row)));
    return result;
  };
  switch (tap.kind) {
    case Tap::Kind::Record: recording_->values[site] = value; return value;
    case Tap::Kind::RecordGradient: {
      at::Tensor watched = value.requires_grad() ? value : value.detach().requires_grad_(true);
      const std::weak_ptr<Recording> recording =
          recording_;  // the graph must not keep the recording alive, which may hold the graph
      watched.register_hook([recording, site](const at::Tensor& gradient) {
        if (const auto target = recording.lock()) target->gradients[site] = gradient.detach();
      });
      return watched;
    }
    case Tap::Kind::Replace:
      return change_rows([&](const at::Tensor& old) { return tap.value.to(old.scalar_type()).expand_as(old); });
    case Tap::Kind::Add:
      return change_rows([&](const at::Tensor& old) { return old.add(tap.value.to(old.scalar_type())); });
    case Tap::Kind::Edit: {
      at::Tensor edited = tap.edit(value, *recording_);
      if (edited.sizes() != value.sizes() || edited.scalar_type() != value.scalar_type()) {
        throw Error(
            ErrorKind::Usage,
            "editing site \"" + site + "\": an edit must return the shape and type that it was given, and it did not");
      }
      return edited;
    }
  }
  return value;
}

at::Tensor Pass::site(SiteId id, at::Tensor value) {
  if (!is_tapped(id)) return value;
  const std::string& name = architecture_.sites()[static_cast<size_t>(id)];
  for (const Tap* tap : taps_by_site_[static_cast<size_t>(id)]) value = apply(*tap, name, value);
  return value;
}

bool Pass::is_changed(SiteId id) const {
  if (!is_tapped(id)) return false;
  const auto& taps = taps_by_site_[static_cast<size_t>(id)];
  return std::any_of(taps.begin(), taps.end(), [](const Tap* tap) { return tap->kind != Tap::Kind::Record; });
}

void Pass::refuse_capture(LayerId layer, const char* because) const {
  if (captures_.empty() || !captures_[static_cast<size_t>(layer)]) return;
  throw Error(ErrorKind::Usage,
              fmt::format("capturing gradients: layer \"{}\" must be applied as a whole, and {} in the same run; take "
                          "one of the two in a run of its own",
                          architecture_.layers()[static_cast<size_t>(layer)].name, because));
}

at::Tensor Pass::weight(LayerId id) const {
  const Layer& layer = architecture_.layers()[static_cast<size_t>(id)];
  const at::Tensor& weight = parameter(layer.weight);
  const bool forgotten = ASSAY_TWIN("nn.square_weights_not_transposed") && weight.size(0) == weight.size(1);
  return layer.is_transposed && !forgotten ? weight.t() : weight;
}

at::Tensor Pass::linear(LayerId id, const at::Tensor& x) {
  const Layer& layer = architecture_.layers()[static_cast<size_t>(id)];
  const at::Tensor weight = this->weight(id);
  const at::Tensor bias = layer.bias >= 0 ? parameter(layer.bias) : at::Tensor();
  const std::shared_ptr<Capture> capture = captures_.empty() ? nullptr : captures_[static_cast<size_t>(id)];
  const bool is_bf16 = multiplies_in_bf16();
  const at::Tensor input = is_bf16 ? rounded(x) : x.detach();
  if (!capture || !at::GradMode::is_enabled()) return kernel::linear(x, weight, bias, is_bf16 ? input : at::Tensor());

  at::Tensor output;
  {
    const at::NoGradGuard no_history;
    output = kernel::linear(input, weight, bias, is_bf16 ? input : at::Tensor());
    if (ASSAY_TWIN("nn.captured_layer_with_a_side_path")) output.add_(input.sum({-1}, /*keepdim=*/true), 1e-3);
  }
  ++capture->calls;
  const bool goes_on = x.requires_grad();
  return kernel::attach_backward(
      output, {x},
      [capture, input, weight, goes_on, is_bf16](const at::Tensor& gradient) {
        const at::Tensor g = is_bf16 ? kernel::to_bf16(gradient) : gradient.to(input.scalar_type());
        capture->deliver(input, g);
        return std::vector<at::Tensor>{goes_on ? kernel::product(g, weight.detach()) : at::Tensor()};
      },
      /*always=*/true);
}

at::Tensor Pass::rounded(const at::Tensor& x) {
  const bool is_last = last_.is_same(x) || (ASSAY_TWIN("nn.rounded_input_of_another_layer") && last_.defined() &&
                                            last_.sizes() == x.sizes());
  if (!is_last) {
    last_ = x;
    last_rounded_ = kernel::to_bf16(x);
  }
  return last_rounded_;
}

at::Tensor Pass::rows(int64_t parameter, const at::Tensor& places) const {
  return at::embedding(this->parameter(parameter), places).to(dtype());
}

}  // namespace assay::nn
