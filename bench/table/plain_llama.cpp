#include "bench/table/plain_llama.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <fmt/format.h>

#include "assay/core/error.h"
#include "assay/kernel/rotary.h"

namespace assay::bench {
namespace {

constexpr double kEpsilon = 1e-5, kRotaryBase = 10000;  // times do not depend on them

at::Tensor parameter(const nn::Model& model, const std::string& name) {
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    if (model.parameters().name(i) == name) return model.parameters()[i];
  }
  throw Error(ErrorKind::Internal, "benchmarking: a Llama has a weight " + name);
}

at::Tensor plain_norm(const at::Tensor& x, const at::Tensor& weight) {
  return x.mul(at::rsqrt(x.square().mean({-1}, true).add(kEpsilon))).mul(weight);
}

}  // namespace

at::Tensor plain_loss(const nn::Model& model, const data::Batch& batch) {
  const nn::Facts facts = model.architecture().facts();
  const int64_t b = batch.size(), t = batch.positions(), k = facts.head_width;
  const kernel::RotaryTable table = kernel::rotary_table(0, t, k, kRotaryBase, at::kFloat);
  const auto heads = [&](const at::Tensor& x, int64_t count) { return x.view({b, t, count, k}); };
  const auto rotated = [&](const at::Tensor& x) { return kernel::rotate_heads(x, table).transpose(1, 2); };
  const auto grouped = [&](const at::Tensor& x) { return x.repeat_interleave(facts.heads / facts.key_value_heads, 1); };
  at::Tensor x = at::embedding(parameter(model, "model.embed_tokens.weight"), batch.tokens);
  for (int64_t l = 0; l < facts.blocks; ++l) {
    const auto weight = [&](const char* name) {
      return parameter(model, fmt::format("model.layers.{}.{}.weight", l, name));
    };
    const at::Tensor n = plain_norm(x, weight("input_layernorm"));
    const at::Tensor q = rotated(heads(at::linear(n, weight("self_attn.q_proj")), facts.heads));
    const at::Tensor key = rotated(heads(at::linear(n, weight("self_attn.k_proj")), facts.key_value_heads));
    const at::Tensor v = heads(at::linear(n, weight("self_attn.v_proj")), facts.key_value_heads).transpose(1, 2);
    const at::Tensor z = at::scaled_dot_product_attention(q, grouped(key), grouped(v), {}, 0.0, true);
    x = x.add(at::linear(z.transpose(1, 2).reshape({b, t, facts.heads * k}), weight("self_attn.o_proj")));
    const at::Tensor m = plain_norm(x, weight("post_attention_layernorm"));
    const at::Tensor gated = at::silu(at::linear(m, weight("mlp.gate_proj"))).mul(at::linear(m, weight("mlp.up_proj")));
    x = x.add(at::linear(gated, weight("mlp.down_proj")));
  }
  const at::Tensor head = parameter(model, facts.head_is_tied ? "model.embed_tokens.weight" : "lm_head.weight");
  const at::Tensor logits = at::linear(plain_norm(x, parameter(model, "model.norm.weight")), head);
  return at::cross_entropy_loss(logits.flatten(0, 1), batch.targets.flatten(), {}, 2 /* sum */);
}

}  // namespace assay::bench
