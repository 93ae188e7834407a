// A small network with fresh weights, one run with a tap, one refusal: headers, library and LibTorch fit together.
#include <assay/core/error.h>
#include <assay/nn/model.h>

#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

int main() {
  using namespace assay;
  const nlohmann::json config{{"model_type", "llama"},    {"hidden_size", 16},   {"intermediate_size", 24},
                              {"num_hidden_layers", 2},   {"vocab_size", 29},    {"num_attention_heads", 4},
                              {"num_key_value_heads", 2}, {"rms_norm_eps", 1e-5}};
  const nn::Model model = nn::initialize(nn::make_architecture(config), 1);
  const std::vector<int32_t> text{3, 17, 28};
  const nn::Run run = model.run(data::prompt_batch(text), nn::Taps{}.record("blocks.1.hook_resid_post"));
  const at::Tensor logits = run.output.logits();
  std::printf("%lld %lld %lld\n", static_cast<long long>(logits.size(1)), static_cast<long long>(logits.size(2)),
              static_cast<long long>(run.value("blocks.1.hook_resid_post").size(2)));
  try {
    model.run(data::prompt_batch(text), nn::Taps{}.record("blocks.1.hook_resid_pots"));
  } catch (const Error& error) {
    std::printf("%s\n", error.what());
    return 0;
  }
  return 1;
}
