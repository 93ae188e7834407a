// A multilayer perceptron: h_0 = x, h_l = activation(W_l h_{l-1} + b_l), outputs = W h + b. One position an example.
// With `repeats` r, every hidden layer of equal width in and out is applied r times with the same weights, which is how
// the tests exercise a layer that is called more than once.
#include <ATen/ops/relu.h>
#include <ATen/ops/tanh.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"
#include "assay/nn/pass.h"

namespace assay::nn {
namespace {

class Mlp final : public Architecture {
 public:
  explicit Mlp(const io::JsonObject& config) : config_(config.json()) {
    config.refuse_unknown(
        {"model_type", "features", "hidden", "outputs", "activation", "task", "bias", "repeats", "torch_dtype"});
    widths_.push_back(config.positive("features", kMostWidth));
    const std::vector<int64_t> hidden = config.integers("hidden");
    const bool fits = std::ssize(hidden) <= kMostBlocks &&
                      std::all_of(hidden.begin(), hidden.end(), [](int64_t w) { return w >= 1 && w <= kMostWidth; });
    if (!fits)
      config.refuse("hidden", fmt::format("a list of at most {} positive widths up to {}", kMostBlocks, kMostWidth));
    widths_.insert(widths_.end(), hidden.begin(), hidden.end());
    widths_.push_back(config.positive("outputs", kMostWidth));
    repeats_ = config.positive_or("repeats", 1, kMostBlocks);
    const std::string activation = config.text_or("activation", "tanh"),
                      task = config.text_or("task", "classification");
    if (activation != "tanh" && activation != "relu") config.refuse("activation", "tanh or relu");
    if (task != "classification" && task != "regression") config.refuse("task", "classification or regression");
    is_tanh_ = activation == "tanh";
    kind_ = task == "classification" ? OutputKind::Categorical : OutputKind::Gaussian;

    const bool bias = config.boolean_or("bias", true);
    for (size_t l = 0; l + 1 < widths_.size(); ++l) {
      const std::string name = fmt::format("layers.{}", l);
      const double deviation = 1.0 / std::sqrt(static_cast<double>(widths_[l]));
      Layer layer{.name = name, .input = name + ".hook_in"};
      layer.weight = add_parameter({name + ".weight", {widths_[l + 1], widths_[l]}, Initial::Normal, deviation});
      if (bias) layer.bias = add_parameter({name + ".bias", {widths_[l + 1]}, Initial::Zeros});
      layers_of_.push_back(add_layer(std::move(layer)));
      in_.push_back(add_site(name + ".hook_in"));
      pre_.push_back(add_site(name + ".hook_pre"));
      post_.push_back(add_site(name + ".hook_post"));
    }
  }

  std::string family() const override { return "mlp"; }
  OutputKind output_kind() const override { return kind_; }
  nlohmann::json config() const override { return config_; }

  Facts facts() const override {
    Facts facts;
    facts.blocks = static_cast<int64_t>(widths_.size()) - 1;
    facts.features = widths_.front();
    facts.width = widths_.size() > 2 ? widths_[1] : 0;
    facts.vocabulary = widths_.back();
    return facts;
  }

  Output forward(Pass& pass) const override {
    at::Tensor x = pass.batch().features.unsqueeze(1);  // [B,1,D]
    const size_t last = layers_of_.size() - 1;
    for (size_t l = 0; l <= last; ++l) {
      const bool is_square = widths_[l] == widths_[l + 1] && l < last;
      for (int64_t call = 0; call < (is_square ? repeats_ : 1); ++call) {
        x = pass.site(pre_[l], pass.linear(layers_of_[l], pass.site(in_[l], x)));
        if (l < last) x = is_tanh_ ? at::tanh(x) : at::relu(x);
        x = pass.site(post_[l], x);
      }
    }
    return {.kind = kind_, .hidden = x, .head = {}};
  }

 private:
  nlohmann::json config_;
  std::vector<int64_t> widths_;
  int64_t repeats_;
  bool is_tanh_;
  OutputKind kind_;
  std::vector<LayerId> layers_of_;
  std::vector<SiteId> in_, pre_, post_;
};

}  // namespace

std::shared_ptr<const Architecture> make_mlp(const io::JsonObject& config) {
  return std::make_shared<Mlp>(config);
}

}  // namespace assay::nn
