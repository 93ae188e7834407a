// Qwen2 (Yang et al., arXiv 2407.10671): a Llama whose queries, keys and values have biases. Sliding windows, off in
// the released models, hold for the blocks from max_window_layers on, or for those that layer_types names.
#include <fmt/format.h>

#include "assay/nn/families/decoder_settings.h"
#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"

namespace assay::nn {
namespace {

std::vector<int64_t> qwen2_windows(const io::JsonObject& config, int64_t blocks) {
  if (!config.boolean_or("use_sliding_window", false)) return {};
  const int64_t window = config.positive("sliding_window", kMostPositions);
  std::vector<int64_t> windows(static_cast<size_t>(blocks), 0);
  if (config.has("layer_types")) {
    const std::vector<std::string> types = config.texts("layer_types");
    if (types.size() != windows.size())
      config.refuse("layer_types", fmt::format("a list of {} kinds, one a block", blocks));
    for (size_t l = 0; l < windows.size(); ++l) {
      if (types[l] != "full_attention" && types[l] != "sliding_attention")
        config.refuse("layer_types", "a list of \"full_attention\" and \"sliding_attention\"");
      if (types[l] == "sliding_attention") windows[l] = window;
    }
    return windows;
  }
  const int64_t first = config.has("max_window_layers") ? config.integer("max_window_layers", 0) : 28;
  for (auto l = static_cast<size_t>(first); l < windows.size(); ++l) windows[l] = window;
  return windows;
}

}  // namespace

std::shared_ptr<const Architecture> make_qwen2(const io::JsonObject& config) {
  DecoderSpec spec = llama_spec(config, "qwen2");
  spec.qkv_bias = true;
  spec.windows = qwen2_windows(config, spec.facts.blocks);
  return make_decoder(std::move(spec));
}

}  // namespace assay::nn
