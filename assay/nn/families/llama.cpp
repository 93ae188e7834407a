// Llama (Touvron et al., arXiv 2302.13971): pre-norm blocks r += A(RMS(r)), r += M(RMS(r)) with rotary positions,
// grouped queries and a gated MLP down(silu(gate x) · up x). Weights and names as in the Hugging Face layout.
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/softmax.h>
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "assay/core/error.h"
#include "assay/kernel/attention.h"
#include "assay/kernel/gated_activation.h"
#include "assay/kernel/norm.h"
#include "assay/kernel/rotary.h"
#include "assay/nn/families/families.h"
#include "assay/nn/limits.h"
#include "assay/nn/pass.h"

namespace assay::nn {
namespace {

struct NormSites {
  SiteId scale, normalized;
};

// Everything that one block owns: weights by place, layers and sites by id.
struct Block {
  int64_t attention_norm, mlp_norm;
  LayerId q, k, v, o, gate, up, down;
  SiteId resid_pre, resid_mid, resid_post, attn_out, mlp_out;
  SiteId hook_q, hook_k, hook_v, rot_q, rot_k, scores, pattern, z, result;
  SiteId mlp_gate, mlp_up, mlp_post;
  NormSites norm1, norm2;
};

class Llama final : public Architecture {
 public:
  explicit Llama(const io::JsonObject& config);

  std::string family() const override { return "llama"; }
  OutputKind output_kind() const override { return OutputKind::Categorical; }
  nlohmann::json config() const override { return config_; }
  Facts facts() const override { return facts_; }
  Output forward(Pass& pass) const override;

 private:
  LayerId add_matrix(const std::string& prefix, const std::string& weight, const std::string& name, int64_t out,
                     int64_t in, const std::string& input, bool bias);
  Block add_block(int64_t index, bool attention_bias, bool mlp_bias);
  NormSites add_norm_sites(const std::string& name);

  at::Tensor normalize(Pass& pass, const at::Tensor& x, int64_t weight, const NormSites& sites) const;
  at::Tensor attend(Pass& pass, const at::Tensor& x, int64_t index, const kernel::RotaryTable& rotary) const;
  at::Tensor mix(Pass& pass, const Block& block, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) const;
  at::Tensor feed_forward(Pass& pass, const at::Tensor& x, const Block& block) const;

  nlohmann::json config_;
  Facts facts_;
  double epsilon_, rotary_base_, deviation_;
  int64_t embedding_, final_norm_, head_;  // head_ == embedding_ when tied
  SiteId embed_, logits_;
  NormSites final_sites_;
  std::vector<Block> blocks_;
};

void refuse_what_is_not_supported(const io::JsonObject& config) {
  if (config.text_or("hidden_act", "silu") != "silu")
    config.refuse("hidden_act", "silu, the activation of Llama's gated MLP");
  const char* scaling = "absent or of type \"default\": scaled rotary positions are not supported";
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!config.has(key)) continue;
    const io::JsonObject rope = config.object(key);
    const std::string type = rope.text_or("rope_type", rope.text_or("type", "default"));
    if (type != "default") config.refuse(key, scaling);
  }
}

double rotary_base(const io::JsonObject& config) {
  const double base = config.positive_real_or("rope_theta", 10000.0);
  if (!config.has("rope_parameters")) return base;
  return config.object("rope_parameters").positive_real_or("rope_theta", base);
}

Llama::Llama(const io::JsonObject& config) : config_(config.json()) {
  refuse_what_is_not_supported(config);
  facts_.width = config.positive("hidden_size", kMostWidth);
  facts_.heads = config.positive("num_attention_heads", kMostWidth);
  facts_.key_value_heads = config.positive_or("num_key_value_heads", facts_.heads, kMostWidth);
  facts_.blocks = config.positive("num_hidden_layers", kMostBlocks);
  facts_.mlp_width = config.positive("intermediate_size", kMostWidth);
  facts_.vocabulary = config.positive("vocab_size", kMostWidth);
  facts_.context = config.positive_or("max_position_embeddings", 2048, kMostPositions);
  facts_.head_is_tied = config.boolean_or("tie_word_embeddings", false);
  if (!config.has("head_dim") && facts_.width % facts_.heads != 0)
    config.refuse("hidden_size", fmt::format("a multiple of the {} heads", facts_.heads));
  facts_.head_width = config.positive_or("head_dim", facts_.width / facts_.heads, kMostWidth);
  if (facts_.head_width % 2 != 0)
    config.refuse(config.has("head_dim") ? "head_dim" : "hidden_size",
                  "such that a head has an even width, which rotary positions need");
  if (facts_.heads % facts_.key_value_heads != 0)
    config.refuse("num_key_value_heads", fmt::format("a divisor of the {} heads", facts_.heads));
  epsilon_ = config.positive_real_or("rms_norm_eps", 1e-6);
  rotary_base_ = rotary_base(config);

  deviation_ = config.real_or("initializer_range", 0.02);
  embedding_ =
      add_parameter({"model.embed_tokens.weight", {facts_.vocabulary, facts_.width}, Initial::Normal, deviation_});
  embed_ = add_site("hook_embed");
  for (int64_t l = 0; l < facts_.blocks; ++l) {
    blocks_.push_back(add_block(l, config.boolean_or("attention_bias", false), config.boolean_or("mlp_bias", false)));
  }
  final_norm_ = add_parameter({"model.norm.weight", {facts_.width}, Initial::Ones});
  final_sites_ = add_norm_sites("ln_final");
  logits_ = add_site("logits");
  head_ = facts_.head_is_tied
              ? embedding_
              : add_parameter({"lm_head.weight", {facts_.vocabulary, facts_.width}, Initial::Normal, deviation_});
  add_layer(
      {.name = "unembed",
       .weight = head_,
       .input = "ln_final.hook_normalized",
       .excluded =
           facts_.head_is_tied
               ? "its weight is also the embedding, so that it is no Kronecker product of one input and one output"
               : "an output head has as many outputs as the vocabulary, too many for a Kronecker factor"});
}

LayerId Llama::add_matrix(const std::string& prefix, const std::string& weight, const std::string& name, int64_t out,
                          int64_t in, const std::string& input, bool bias) {
  Layer layer{.name = name, .input = input};
  layer.weight = add_parameter({prefix + weight + ".weight", {out, in}, Initial::Normal, deviation_});
  if (bias) layer.bias = add_parameter({prefix + weight + ".bias", {out}, Initial::Zeros});
  return add_layer(std::move(layer));
}

NormSites Llama::add_norm_sites(const std::string& name) {
  return {add_site(name + ".hook_scale"), add_site(name + ".hook_normalized")};
}

Block Llama::add_block(int64_t index, bool attention_bias, bool mlp_bias) {
  const std::string weights = fmt::format("model.layers.{}.", index), name = fmt::format("blocks.{}.", index);
  const int64_t width = facts_.width, queries = facts_.heads * facts_.head_width,
                keys = facts_.key_value_heads * facts_.head_width;
  Block block;
  block.attention_norm = add_parameter({weights + "input_layernorm.weight", {width}, Initial::Ones});
  const std::string attention_input = name + "ln1.hook_normalized", mlp_input = name + "ln2.hook_normalized";
  block.q = add_matrix(weights, "self_attn.q_proj", name + "attn.q", queries, width, attention_input, attention_bias);
  block.k = add_matrix(weights, "self_attn.k_proj", name + "attn.k", keys, width, attention_input, attention_bias);
  block.v = add_matrix(weights, "self_attn.v_proj", name + "attn.v", keys, width, attention_input, attention_bias);
  block.o =
      add_matrix(weights, "self_attn.o_proj", name + "attn.o", width, queries, name + "attn.hook_z", attention_bias);
  block.mlp_norm = add_parameter({weights + "post_attention_layernorm.weight", {width}, Initial::Ones});
  block.gate = add_matrix(weights, "mlp.gate_proj", name + "mlp.gate", facts_.mlp_width, width, mlp_input, mlp_bias);
  block.up = add_matrix(weights, "mlp.up_proj", name + "mlp.up", facts_.mlp_width, width, mlp_input, mlp_bias);
  block.down = add_matrix(weights, "mlp.down_proj", name + "mlp.down", width, facts_.mlp_width, name + "mlp.hook_post",
                          mlp_bias);

  block.resid_pre = add_site(name + "hook_resid_pre");
  block.norm1 = add_norm_sites(name + "ln1");
  block.hook_q = add_site(name + "attn.hook_q");
  block.hook_k = add_site(name + "attn.hook_k");
  block.hook_v = add_site(name + "attn.hook_v");
  block.rot_q = add_site(name + "attn.hook_rot_q");
  block.rot_k = add_site(name + "attn.hook_rot_k");
  block.scores = add_site(name + "attn.hook_attn_scores");
  block.pattern = add_site(name + "attn.hook_pattern");
  block.z = add_site(name + "attn.hook_z");
  block.result = add_site(name + "attn.hook_result");
  block.attn_out = add_site(name + "hook_attn_out");
  block.resid_mid = add_site(name + "hook_resid_mid");
  block.norm2 = add_norm_sites(name + "ln2");
  block.mlp_gate = add_site(name + "mlp.hook_pre");
  block.mlp_up = add_site(name + "mlp.hook_pre_linear");
  block.mlp_post = add_site(name + "mlp.hook_post");
  block.mlp_out = add_site(name + "hook_mlp_out");
  block.resid_post = add_site(name + "hook_resid_post");
  return block;
}

at::Tensor Llama::normalize(Pass& pass, const at::Tensor& x, int64_t weight, const NormSites& sites) const {
  if (!pass.is_tapped(sites.scale))
    return pass.site(sites.normalized, kernel::rms_norm(x, pass.parameter(weight), epsilon_));
  const at::Tensor scale = pass.site(sites.scale, kernel::rms_scale(x, epsilon_));
  return pass.site(sites.normalized, x.div(scale).mul(pass.parameter(weight)));
}

// q [B,H,T,K], k and v [B,H_kv,S,K] → z [B,T,H,K].
at::Tensor Llama::mix(Pass& pass, const Block& block, const at::Tensor& q, const at::Tensor& k,
                      const at::Tensor& v) const {
  if (!pass.is_tapped(block.scores) && !pass.is_tapped(block.pattern))
    return kernel::causal_attention(q, k, v).transpose(1, 2);
  const at::Tensor scores = pass.site(block.scores, kernel::attention_scores(q, k));
  const at::Tensor pattern = pass.site(block.pattern, at::softmax(scores, -1));
  return kernel::mix_values(pattern, v).transpose(1, 2);
}

at::Tensor Llama::attend(Pass& pass, const at::Tensor& x, int64_t index, const kernel::RotaryTable& rotary) const {
  const Block& block = blocks_[static_cast<size_t>(index)];
  const int64_t examples = x.size(0), positions = x.size(1);
  const auto heads = [&](LayerId layer, SiteId site, int64_t count) {
    return pass.site(site, pass.linear(layer, x).view({examples, positions, count, facts_.head_width}));
  };
  const at::Tensor q = heads(block.q, block.hook_q, facts_.heads);
  const at::Tensor k = heads(block.k, block.hook_k, facts_.key_value_heads);
  at::Tensor values = heads(block.v, block.hook_v, facts_.key_value_heads).transpose(1, 2);
  const at::Tensor queries = pass.site(block.rot_q, kernel::rotate_heads(q, rotary)).transpose(1, 2);
  at::Tensor keys = pass.site(block.rot_k, kernel::rotate_heads(k, rotary)).transpose(1, 2);
  if (KeyValueCache* cache = pass.options().cache) {
    at::Tensor& old_keys = cache->keys[static_cast<size_t>(index)];
    at::Tensor& old_values = cache->values[static_cast<size_t>(index)];
    if (old_keys.defined()) {
      keys = at::cat({old_keys, keys}, 2);
      values = at::cat({old_values, values}, 2);
    }
    old_keys = keys;
    old_values = values;
  }
  const at::Tensor z = pass.site(block.z, mix(pass, block, queries, keys, values));
  if (!pass.is_tapped(block.result)) return pass.linear(block.o, z.reshape({examples, positions, -1}));

  // What each head writes, made only to be looked at or changed: [B,T,H,D].
  const Layer& output = layers()[static_cast<size_t>(block.o)];
  const at::Tensor by_head =
      pass.parameter(output.weight).view({facts_.width, facts_.heads, facts_.head_width}).permute({1, 2, 0});
  const at::Tensor result = pass.site(block.result, z.unsqueeze(3).matmul(by_head).squeeze(3));
  const at::Tensor sum = result.sum(2);
  return output.bias >= 0 ? sum.add(pass.parameter(output.bias)) : sum;
}

at::Tensor Llama::feed_forward(Pass& pass, const at::Tensor& x, const Block& block) const {
  const at::Tensor gate = pass.site(block.mlp_gate, pass.linear(block.gate, x));
  const at::Tensor up = pass.site(block.mlp_up, pass.linear(block.up, x));
  return pass.linear(block.down, pass.site(block.mlp_post, kernel::gated_silu(gate, up)));
}

Output Llama::forward(Pass& pass) const {
  const RunOptions& options = pass.options();
  KeyValueCache* cache = options.cache;
  if (cache && cache->keys.empty()) {
    cache->keys.resize(blocks_.size());
    cache->values.resize(blocks_.size());
  }
  const bool from_start = options.first_block == 0;
  ASSAY_ASSERT(from_start || (options.state.defined() && !cache && options.first_block <= facts_.blocks));
  at::Tensor x =
      from_start ? pass.site(embed_, at::embedding(pass.parameter(embedding_), pass.batch().tokens)) : options.state;
  const int64_t positions = x.size(1);
  const kernel::RotaryTable rotary =
      kernel::rotary_table(cache ? cache->length : 0, positions, facts_.head_width, rotary_base_, x.scalar_type());
  for (int64_t l = options.first_block; l < facts_.blocks; ++l) {
    const Block& block = blocks_[static_cast<size_t>(l)];
    x = pass.site(block.resid_pre, x);
    const at::Tensor attention_input = normalize(pass, x, block.attention_norm, block.norm1);
    x = pass.site(block.resid_mid, x.add(pass.site(block.attn_out, attend(pass, attention_input, l, rotary))));
    const at::Tensor mlp_input = normalize(pass, x, block.mlp_norm, block.norm2);
    x = pass.site(block.resid_post, x.add(pass.site(block.mlp_out, feed_forward(pass, mlp_input, block))));
  }
  if (cache) cache->length += positions;
  x = normalize(pass, x, final_norm_, final_sites_);
  const Output output{.kind = OutputKind::Categorical, .hidden = x, .head = pass.parameter(head_)};
  if (!pass.is_tapped(logits_)) return output;
  return {.kind = OutputKind::Categorical, .hidden = pass.site(logits_, output.logits()), .head = {}};
}

}  // namespace

std::shared_ptr<const Architecture> make_llama(const io::JsonObject& config) {
  return std::make_shared<Llama>(config);
}

}  // namespace assay::nn
