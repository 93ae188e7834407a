#include "assay/nn/gguf_model.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/io/tensor.h"
#include "assay/kernel/rotary.h"
#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"

namespace assay::nn {
namespace {

using nlohmann::json;

// Looks up "ARCHITECTURE.key".
class GgufKeys {
 public:
  GgufKeys(const io::Gguf& file, std::string architecture) : file_(file), architecture_(std::move(architecture)) {}

  const io::GgufMetadata& metadata() const { return file_.metadata(); }
  std::string key(const char* name) const { return architecture_ + "." + name; }
  bool has(const char* name) const { return metadata().has(key(name)); }
  int64_t size(const char* name, int64_t most = kMostWidth) const { return metadata().positive(key(name), most); }
  int64_t size_or(const char* name, int64_t fallback) const {
    return metadata().positive_or(key(name), fallback, kMostWidth);
  }
  [[noreturn]] void refuse(const char* name, const std::string& rule, const std::string& advice = "") const {
    metadata().refuse(key(name), rule, advice);
  }

  /// A file without a tokenizer may still state its size.
  int64_t vocabulary() const {
    if (has("vocab_size")) return size("vocab_size");
    return static_cast<int64_t>(metadata().texts("tokenizer.ggml.tokens").size());
  }
  /// Some writers store a tied head a second time.
  bool head_is_tied() const {
    const auto head = file_.tensors().find("output.weight"), embedding = file_.tensors().find("token_embd.weight");
    if (head == file_.tensors().end()) return true;
    return embedding != file_.tensors().end() && head->second.type == embedding->second.type &&
           std::equal(head->second.bytes.begin(), head->second.bytes.end(), embedding->second.bytes.begin(),
                      embedding->second.bytes.end());
  }

 private:
  const io::Gguf& file_;
  std::string architecture_;
};

/// Values are as wide as keys, and rotary positions turn a head from end to end: what the Llama family has.
int64_t head_width_of(const GgufKeys& keys, int64_t width, int64_t heads) {
  const char* key = keys.has("attention.key_length") ? "attention.key_length" : "embedding_length";
  if (!keys.has("attention.key_length") && width % heads != 0)
    keys.refuse(key, fmt::format("a multiple of the {} heads", heads));
  const int64_t head_width = keys.size_or("attention.key_length", width / heads);
  if (head_width % 2 != 0) {
    keys.refuse(key,
                fmt::format("such that each of the {} heads has an even width, which rotary positions need", heads));
  }
  if (keys.size_or("attention.value_length", head_width) != head_width)
    keys.refuse("attention.value_length", fmt::format("{}, the width of the keys", head_width));
  if (keys.size_or("rope.dimension_count", head_width) != head_width)
    keys.refuse("rope.dimension_count",
                fmt::format("{}, the width of a head: this family turns the whole of it", head_width));
  return head_width;
}

// Llama 3.1's scaling comes as divisors of the frequencies, one a pair, and is said nowhere else. Where its published
// rule explains them, the rule is what we write down, so that other programs can read what we save.
json scaling_of_divisors(const at::Tensor& divisors, double base) {
  if (divisors.eq(1).all().item<bool>() || ASSAY_TWIN("nn.gguf_scaled_positions_ignored")) return nullptr;
  const at::Tensor given = divisors.flatten().to(at::kDouble),
                   plain = kernel::rotary_frequencies(2 * given.numel(), base);
  const double factor = given.max().item<double>(), low = 1, high = 4, original = 8192;
  const at::Tensor by_rule = plain.div(kernel::llama3_scaled(plain, factor, low, high, original));
  if (by_rule.allclose(given, 1e-4)) {
    return {{"rope_type", "llama3"},
            {"factor", factor},
            {"low_freq_factor", low},
            {"high_freq_factor", high},
            {"original_max_position_embeddings", static_cast<int64_t>(original)}};
  }
  const at::Tensor numbers = given.contiguous();
  return {{"rope_type", "factors"},
          {"factors",
           std::vector<double>(numbers.const_data_ptr<double>(), numbers.const_data_ptr<double>() + numbers.numel())}};
}

json scaling_of(const io::Gguf& file, const GgufKeys& keys, double base, int64_t head_width) {
  const std::string type = keys.metadata().text_or(keys.key("rope.scaling.type"), "none");
  if (type == "linear")
    return {{"rope_type", "linear"}, {"factor", keys.metadata().positive_real(keys.key("rope.scaling.factor"))}};
  if (type != "none") {
    keys.refuse("rope.scaling.type", "absent, none or linear, the scalings that Assay knows by name",
                "take a model with one of these");
  }
  const auto divisors = file.tensors().find("rope_freqs.weight");
  if (divisors == file.tensors().end()) return nullptr;
  const at::Tensor numbers = io::to_tensor(file.load("rope_freqs.weight"));
  if (numbers.numel() != head_width / 2 || !numbers.gt(0).all().item<bool>()) {
    throw Error(ErrorKind::Model,
                fmt::format("reading GGUF: \"rope_freqs.weight\" must hold {} positive numbers, one for each pair of a "
                            "head, and it does not; fetch or convert the file again",
                            head_width / 2));
  }
  return scaling_of_divisors(numbers, base);
}

json llama_config(const io::Gguf& file, const GgufKeys& keys, const char* model_type) {
  const int64_t heads = keys.size("attention.head_count"), width = keys.size("embedding_length");
  const int64_t key_value_heads = keys.size_or("attention.head_count_kv", heads);
  if (heads % key_value_heads != 0)
    keys.refuse("attention.head_count_kv", fmt::format("a divisor of the {} heads", heads));
  const int64_t head_width = head_width_of(keys, width, heads);
  const double base = keys.metadata().positive_real_or(keys.key("rope.freq_base"), 10000.0);
  json config{{"model_type", model_type},
              {"hidden_size", width},
              {"intermediate_size", keys.size("feed_forward_length")},
              {"num_hidden_layers", keys.size("block_count", kMostBlocks)},
              {"num_attention_heads", heads},
              {"num_key_value_heads", key_value_heads},
              {"head_dim", head_width},
              {"max_position_embeddings", keys.size("context_length", kMostPositions)},
              {"rms_norm_eps", keys.metadata().positive_real(keys.key("attention.layer_norm_rms_epsilon"))},
              {"rope_theta", base},
              {"vocab_size", keys.vocabulary()},
              {"tie_word_embeddings", keys.head_is_tied()},
              {"hidden_act", "silu"}};
  const json scaling = scaling_of(file, keys, base, head_width);
  if (!scaling.is_null()) config["rope_scaling"] = scaling;
  if (std::string(model_type) == "qwen2") {
    config["architectures"] = {"Qwen2ForCausalLM"};
  } else {
    config["architectures"] = {"LlamaForCausalLM"};
    if (file.tensors().contains("blk.0.attn_q.bias")) config["attention_bias"] = true;
  }
  return config;
}

json gpt2_config(const GgufKeys& keys) {
  return {{"model_type", "gpt2"},
          {"architectures", {"GPT2LMHeadModel"}},
          {"n_embd", keys.size("embedding_length")},
          {"n_head", keys.size("attention.head_count")},
          {"n_layer", keys.size("block_count", kMostBlocks)},
          {"n_inner", keys.size("feed_forward_length")},
          {"n_positions", keys.size("context_length", kMostPositions)},
          {"vocab_size", keys.vocabulary()},
          {"layer_norm_epsilon", keys.metadata().positive_real(keys.key("attention.layer_norm_epsilon"))},
          {"activation_function", "gelu_new"},
          {"tie_word_embeddings", keys.head_is_tied()}};
}

json neox_config(const GgufKeys& keys) {
  const int64_t heads = keys.size("attention.head_count"), width = keys.size("embedding_length");
  if (width % heads != 0) keys.refuse("embedding_length", fmt::format("a multiple of the {} heads", heads));
  const int64_t turned = keys.size_or("rope.dimension_count", width / heads);
  return {{"model_type", "gpt_neox"},
          {"architectures", {"GPTNeoXForCausalLM"}},
          {"hidden_size", width},
          {"num_attention_heads", heads},
          {"num_hidden_layers", keys.size("block_count", kMostBlocks)},
          {"intermediate_size", keys.size("feed_forward_length")},
          {"max_position_embeddings", keys.size("context_length", kMostPositions)},
          {"vocab_size", keys.vocabulary()},
          {"layer_norm_eps", keys.metadata().positive_real(keys.key("attention.layer_norm_epsilon"))},
          {"rotary_pct", static_cast<double>(turned) / static_cast<double>(width / heads)},
          {"rotary_emb_base", keys.metadata().positive_real_or(keys.key("rope.freq_base"), 10000.0)},
          {"use_parallel_residual", keys.metadata().has(keys.key("use_parallel_residual"))
                                        ? keys.metadata().boolean(keys.key("use_parallel_residual"))
                                        : true},
          {"hidden_act", "gelu"},
          {"tie_word_embeddings", keys.head_is_tied()}};
}

/// "layers.3.mlp.up_proj" with the pattern "layers.{}." → "3", "mlp.up_proj"; an empty number where it does not fit.
std::pair<std::string, std::string> split_block(const std::string& name, const std::string& pattern) {
  const std::string before = pattern.substr(0, pattern.find("{}"));
  if (!name.starts_with(before)) return {};
  const size_t dot = name.find('.', before.size());
  if (dot == std::string::npos) return {};
  return {name.substr(before.size(), dot - before.size()), name.substr(dot + 1)};
}

bool is_transposed_in_gguf(const std::string& family, const std::string& parameter, size_t axes) {
  return family == "gpt2" && axes == 2 && parameter.find(".c_") != std::string::npos;
}

}  // namespace

nlohmann::json config_of_gguf(const io::Gguf& file) {
  const std::string architecture = file.metadata().text("general.architecture");
  const GgufKeys keys(file, architecture);
  if (architecture == "llama" || architecture == "qwen2") return llama_config(file, keys, architecture.c_str());
  if (architecture == "gpt2") return gpt2_config(keys);
  if (architecture == "gptneox") return neox_config(keys);
  file.metadata().refuse("general.architecture", "one that Assay reads from GGUF (gpt2, gptneox, llama, qwen2)",
                         "take a model of one of these");
}

const DecoderNames& gguf_weight_names(const std::string& model_type) {
  if (model_type == "gpt2") return kGpt2Names;
  if (model_type == "gpt_neox") return kGptNeoxNames;
  ASSAY_ASSERT(model_type == "llama" || model_type == "qwen2");
  return kLlamaNames;
}

std::string gguf_name(const DecoderNames& names, const std::string& parameter) {
  const size_t dot = parameter.rfind('.');
  const std::string suffix = parameter.substr(dot);
  std::string name = parameter.substr(0, dot);
  if (name == names.head) return "output" + suffix;
  ASSAY_ASSERT(name.starts_with(names.prefix));
  name.erase(0, std::string(names.prefix).size());
  if (name == names.embedding) return "token_embd" + suffix;
  if (names.positions && name == names.positions) return "position_embd" + suffix;
  if (name == names.final_norm) return "output_norm" + suffix;
  const auto [number, rest] = split_block(name, names.block);
  const std::array<std::pair<const char*, const char*>, 10> parts{{{names.norm1, "attn_norm"},
                                                                   {names.qkv, "attn_qkv"},
                                                                   {names.q, "attn_q"},
                                                                   {names.k, "attn_k"},
                                                                   {names.v, "attn_v"},
                                                                   {names.o, "attn_output"},
                                                                   {names.norm2, "ffn_norm"},
                                                                   {names.gate, "ffn_gate"},
                                                                   {names.up, "ffn_up"},
                                                                   {names.down, "ffn_down"}}};
  for (const auto& [ours, theirs] : parts) {
    if (ours && rest == ours) return "blk." + number + "." + theirs + suffix;
  }
  throw Error(ErrorKind::Internal, "reading GGUF: every weight of a model must have a GGUF name, and \"" + parameter +
                                       "\" has none; please report this");
}

std::vector<int64_t> shape_in_gguf(std::vector<int64_t> shape, const std::string& parameter,
                                   const nlohmann::json& config) {
  if (is_transposed_in_gguf(config.at("model_type"), parameter, shape.size())) std::swap(shape[0], shape[1]);
  return shape;
}

at::Tensor in_our_order(at::Tensor tensor, const std::string& parameter, const nlohmann::json& config,
                        const Facts& facts) {
  if (ASSAY_TWIN("nn.gguf_rows_not_permuted")) return tensor;
  const std::string family = config.at("model_type");
  const auto is = [&](const char* part) { return parameter.find(part) != std::string::npos; };
  if (family == "llama" && (is(".q_proj.") || is(".k_proj."))) {
    const int64_t heads = is(".q_proj.") ? facts.heads : facts.key_value_heads, half = tensor.size(0) / heads / 2;
    return tensor.view({heads, half, 2, -1}).transpose(1, 2).reshape(tensor.sizes());
  }
  if (family == "gpt_neox" && is(".query_key_value."))
    return tensor.view({3, facts.heads, facts.head_width, -1}).transpose(0, 1).reshape(tensor.sizes());
  if (is_transposed_in_gguf(family, parameter, static_cast<size_t>(tensor.dim()))) return tensor.t();
  return tensor;
}

}  // namespace assay::nn
