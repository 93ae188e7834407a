#include "assay/nn/folding.h"

#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::nn {
namespace {

[[noreturn]] void refuse(const char* doing, const std::string& sentence) {
  throw Error(ErrorKind::Usage, fmt::format("{}: {}", doing, sentence));
}

/// Weights that are replaced one by one: what is read is float64, what is written has the model's type again.
class Weights {
 public:
  explicit Weights(Model model) : model_(std::move(model)), changed_(model_.parameters()) {}

  const Architecture& architecture() const { return model_.architecture(); }
  at::Tensor get(int64_t place) const { return changed_[static_cast<size_t>(place)].detach().to(at::kDouble); }
  void set(int64_t place, const at::Tensor& value) {
    at::Tensor& old = changed_[static_cast<size_t>(place)];
    old = value.to(old.scalar_type()).contiguous();
  }
  /// The matrix of a layer as [O,I], however it lies.
  at::Tensor matrix(const Layer& layer) const {
    return layer.is_transposed ? get(layer.weight).t() : get(layer.weight);
  }
  void set_matrix(const Layer& layer, const at::Tensor& matrix) {
    set(layer.weight, layer.is_transposed ? matrix.t() : matrix);
  }
  Model model() const { return model_.with(changed_); }

 private:
  Model model_;
  Parameters changed_;  // shares what is not replaced
};

/// The same model with a head of its own.
Model untied(const Model& model) {
  const Architecture& tied = model.architecture();
  nlohmann::json config = tied.config();
  config["tie_word_embeddings"] = false;
  const std::shared_ptr<const Architecture> architecture = make_architecture(config);
  const std::vector<std::string>& names = model.parameters().names();
  const auto head = static_cast<size_t>(tied.layers().back().weight);
  Parameters parameters;
  for (const ParameterInfo& info : architecture->parameters()) {
    const auto found = std::find(names.begin(), names.end(), info.name);
    parameters.add(info.name,
                   model.parameters()[found == names.end() ? head : static_cast<size_t>(found - names.begin())]);
  }
  return Model(architecture, std::move(parameters));
}

Weights weights_of(const Model& model, const char* doing) {
  const Architecture& architecture = model.architecture();
  if (architecture.residual_stream().norms.empty()) {
    refuse(doing, fmt::format("the model must have a residual stream that norms read, and this {} model has none; "
                              "give a model of texts",
                              architecture.family()));
  }
  if (model.matrix_dtype() == at::kBFloat16)
    refuse(doing, "its matrices must have the bits for it, and bf16 has 8; load the model in fp32 or fp64");
  return Weights(architecture.facts().head_is_tied ? untied(model) : model);
}

}  // namespace

Model fold_norms(const Model& model) {
  Weights weights = weights_of(model, "folding norms");
  for (const ResidualStream::Norm& norm : weights.architecture().residual_stream().norms) {
    std::vector<Layer> readers;
    for (const Layer& layer : weights.architecture().layers()) {
      if (layer.input == norm.output) readers.push_back(layer);
    }
    const at::Tensor weight = weights.get(norm.weight);
    const at::Tensor factor = at::where(weight.eq(0), at::ones_like(weight), weight);  // a zero cannot be divided out
    for (const Layer& reader : readers) weights.set_matrix(reader, weights.matrix(reader).mul(factor));
    if (!ASSAY_TWIN("nn.folded_weight_stays")) weights.set(norm.weight, weight.div(factor));
    if (norm.bias < 0) continue;
    const at::Tensor bias = weights.get(norm.bias).div(factor);
    const bool all_have_biases =
        std::all_of(readers.begin(), readers.end(), [](const Layer& reader) { return reader.bias >= 0; });
    weights.set(norm.bias, all_have_biases ? at::zeros_like(bias) : bias);
    if (!all_have_biases || ASSAY_TWIN("nn.folded_bias_lost")) continue;
    for (const Layer& reader : readers)
      weights.set(reader.bias, weights.get(reader.bias).add(weights.matrix(reader).mv(bias)));
  }
  return weights.model();
}

Model center_writing_weights(const Model& model) {
  const char* doing = "centring writing weights";
  Weights weights = weights_of(model, doing);
  const ResidualStream stream = weights.architecture().residual_stream();
  for (const ResidualStream::Norm& norm : stream.norms) {
    if (norm.bias >= 0 || ASSAY_TWIN("nn.centred_before_rms_norm")) continue;
    refuse(doing, fmt::format("every norm must subtract the mean of the stream itself, and the RMSNorms of this {} "
                              "model do not; fold its norms and centre its unembedding only",
                              weights.architecture().family()));
  }
  const auto centred = [](const at::Tensor& value, int64_t axis) {
    return value.sub(value.mean(/*dim=*/{axis}, /*keepdim=*/true));
  };
  for (const int64_t embedding : stream.embeddings) weights.set(embedding, centred(weights.get(embedding), 1));
  for (const LayerId id : stream.writers) {
    const Layer& writer = weights.architecture().layers()[static_cast<size_t>(id)];
    const int64_t outputs = ASSAY_TWIN("nn.centred_over_inputs") ? 1 : 0;
    weights.set_matrix(writer, centred(weights.matrix(writer), outputs));
    if (writer.bias >= 0) weights.set(writer.bias, centred(weights.get(writer.bias), 0));
  }
  return weights.model();
}

Model center_unembedding(const Model& model) {
  Weights weights = weights_of(model, "centring the unembedding");
  const Layer& head = weights.architecture().layers().back();
  const at::Tensor matrix = weights.matrix(head);
  const int64_t vocabulary = ASSAY_TWIN("nn.unembedding_centred_over_width") ? 1 : 0;
  weights.set_matrix(head, matrix.sub(matrix.mean(/*dim=*/{vocabulary}, /*keepdim=*/true)));
  return weights.model();
}

}  // namespace assay::nn
