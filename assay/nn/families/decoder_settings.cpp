#include "assay/nn/families/decoder_settings.h"

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "assay/kernel/rotary.h"
#include "assay/nn/limits.h"

namespace assay::nn {
namespace {

at::Tensor scaled_frequencies(const at::Tensor& frequencies, const io::JsonObject& rope, const io::JsonObject& config,
                              const char* key) {
  const std::string type = rope.text_or("rope_type", rope.text_or("type", "default"));
  if (type == "default") return frequencies;
  if (type == "linear") return frequencies.div(rope.positive_real("factor"));
  if (type == "llama3") {
    const double low = rope.positive_real("low_freq_factor"), high = rope.positive_real("high_freq_factor");
    if (high <= low) rope.refuse("high_freq_factor", fmt::format("more than low_freq_factor, which is {}", low));
    return kernel::llama3_scaled(frequencies, rope.positive_real("factor"), low, high,
                                 rope.positive_real("original_max_position_embeddings"));
  }
  if (type == "factors") {
    std::vector<double> divisors;
    for (const io::Json& number : rope.value("factors")) {
      if (!number.is_number() || number.get<double>() <= 0) rope.refuse("factors", "a list of positive numbers");
      divisors.push_back(number.get<double>());
    }
    if (static_cast<int64_t>(divisors.size()) != frequencies.numel())
      rope.refuse("factors", fmt::format("a list of {} positive numbers, one a pair", frequencies.numel()));
    return frequencies.div(at::tensor(divisors, at::kDouble));
  }
  config.refuse(key, "absent or of type default, linear or llama3, the scalings of rotary positions that Assay knows",
                "take a model with one of these");
}

}  // namespace

void read_heads(const io::JsonObject& config, const char* width_key, const char* heads_key, Facts& facts) {
  facts.width = config.positive(width_key, kMostWidth);
  facts.heads = config.positive(heads_key, kMostWidth);
  facts.key_value_heads = facts.heads;
  if (facts.width % facts.heads != 0) config.refuse(width_key, fmt::format("a multiple of the {} heads", facts.heads));
  facts.head_width = facts.width / facts.heads;
}

Activation activation_named(const io::JsonObject& config, const char* key, const std::string& fallback) {
  const std::string name = config.text_or(key, fallback);
  if (name == "gelu") return Activation::Gelu;
  if (name == "gelu_new" || name == "gelu_fast" || name == "gelu_pytorch_tanh") return Activation::GeluTanh;
  if (name == "relu") return Activation::Relu;
  config.refuse(key,
                "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh or relu, the activations of a plain MLP that Assay knows",
                "take a model with one of these");
}

at::Tensor rotary_frequencies_of(const io::JsonObject& config, int64_t width, const char* base_key) {
  double base = config.positive_real_or(base_key, 10000.0);
  if (config.has("rope_parameters")) {
    const io::JsonObject rope = config.object("rope_parameters");
    base = rope.positive_real_or("rope_theta", base);
    return scaled_frequencies(kernel::rotary_frequencies(width, base), rope, config, "rope_parameters");
  }
  const at::Tensor frequencies = kernel::rotary_frequencies(width, base);
  if (!config.has("rope_scaling")) return frequencies;
  return scaled_frequencies(frequencies, config.object("rope_scaling"), config, "rope_scaling");
}

}  // namespace assay::nn
