#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/nn/decoder_body.h"

namespace assay::nn {
namespace {

/// One product a head: x [B,T,H,I] with weights [H,I,O] → [B,T,H,O]. Only taps ask for it: of bf16 weights the inputs
/// are rounded as those of the whole layer would be, and multiplied in float32.
at::Tensor product_by_head(const at::Tensor& given, const at::Tensor& weights) {
  const at::Tensor x = given.to(weights.scalar_type()).to(given.scalar_type());
  const int64_t examples = x.size(0), positions = x.size(1), heads = x.size(2);
  return x.permute({2, 0, 1, 3})
      .reshape({heads, examples * positions, -1})
      .bmm((ASSAY_TWIN("nn.single_heads_of_the_next") ? weights.roll({1}, {0}) : weights).to(given.scalar_type()))
      .view({heads, examples, positions, -1})
      .permute({1, 2, 0, 3});
}

/// The heads of `axis` repeated until there are `heads` of them, each for its group of query heads.
at::Tensor with_heads(const at::Tensor& x, int64_t axis, int64_t heads) {
  const int64_t groups = x.size(axis);
  return groups == heads ? x : x.repeat_interleave(heads / groups, axis);
}

}  // namespace

Decoder::HeadWeights Decoder::head_weights(Pass& pass, const Block& block, Part part) const {
  const int64_t width = spec_.facts.head_width, heads = spec_.facts.heads, place = static_cast<int64_t>(part);
  const auto of_layer = [&](LayerId id, std::vector<int64_t> shape, int64_t axis) {
    const Layer& layer = layers()[static_cast<size_t>(id)];
    HeadWeights found;
    if (layer.bias >= 0) found.bias = pass.parameter(layer.bias).view(shape);
    shape.push_back(spec_.facts.width);
    found.weight = pass.weight(id).view(shape);
    if (axis < 0) return found;
    if (found.bias.defined()) found.bias = found.bias.select(axis, place);
    found.weight = found.weight.select(axis, place);
    return found;
  };
  if (spec_.qkv == QkvForm::Stacked) return of_layer(block.qkv, {3, heads, width}, 0);
  if (spec_.qkv == QkvForm::ByHead) return of_layer(block.qkv, {heads, 3, width}, 1);
  const LayerId layer = part == Part::Query ? block.q : part == Part::Key ? block.k : block.v;
  const int64_t own = part == Part::Query ? heads : spec_.facts.key_value_heads;
  HeadWeights found = of_layer(layer, {own, width}, -1);
  found.weight = with_heads(found.weight, 0, heads);
  if (found.bias.defined()) found.bias = with_heads(found.bias, 0, heads);
  return found;
}

Decoder::Heads Decoder::project_together(Pass& pass, const at::Tensor& x, const Block& block) const {
  const int64_t examples = x.size(0), positions = x.size(1), heads = spec_.facts.heads;
  const int64_t width = spec_.facts.head_width, groups = spec_.facts.key_value_heads;
  if (spec_.qkv == QkvForm::Apart) {
    const auto part = [&](LayerId layer, int64_t count) {
      return pass.linear(layer, x).view({examples, positions, count, width});
    };
    const at::Tensor q = part(block.q, heads), k = part(block.k, groups);
    return {q, k, part(block.v, groups)};
  }
  const bool by_head = (spec_.qkv == QkvForm::ByHead) != ASSAY_TWIN("nn.qkv_rows_in_the_other_order");
  const at::Tensor all = pass.linear(block.qkv, x);
  // All three at once: their gradients then meet in one copy, not in a sum of three that are mostly zeros.
  const std::vector<at::Tensor> parts = by_head ? all.view({examples, positions, heads, 3, width}).unbind(3)
                                                : all.view({examples, positions, 3, heads, width}).unbind(2);
  return {parts[0], parts[1], parts[2]};
}

// What a head reads is normalised head by head; the sites of the norm go on showing the stream that all share.
at::Tensor Decoder::project_by_head(Pass& pass, const at::Tensor& inputs, const Block& block, Part part) const {
  const HeadWeights head = head_weights(pass, block, part);
  const at::Tensor product = product_by_head(normalized(pass, inputs, block.norm1), head.weight.transpose(1, 2));
  return head.bias.defined() ? product.add(head.bias) : product;
}

Decoder::Heads Decoder::project(Pass& pass, const at::Tensor& residual, const at::Tensor& x, const Block& block) const {
  const bool all = pass.is_tapped(block.attn_in);
  const bool q_apart = all || pass.is_tapped(block.q_input), k_apart = all || pass.is_tapped(block.k_input);
  const bool v_apart = all || pass.is_tapped(block.v_input);
  if (!q_apart && !k_apart && !v_apart) return project_together(pass, x, block);

  for (const SiteId site : {block.norm1.scale, block.norm1.normalized}) {
    if (!pass.is_changed(site)) continue;
    throw Error(
        ErrorKind::Usage,
        fmt::format("tapping a model: \"{}\" may only be recorded in a run that taps the inputs of single heads, "
                    "each of which is normalised by itself; change the heads' inputs instead",
                    sites()[static_cast<size_t>(site)]));
  }
  for (const LayerId layer : {block.qkv, q_apart ? block.q : -1, k_apart ? block.k : -1, v_apart ? block.v : -1}) {
    if (layer >= 0) pass.refuse_capture(layer, "the inputs of its single heads are tapped");
  }
  Heads heads;
  if (!(q_apart && k_apart && v_apart)) heads = project_together(pass, x, block);
  at::Tensor inputs = residual.unsqueeze(2).expand({-1, -1, spec_.facts.heads, -1});
  inputs = pass.site(block.attn_in, inputs);
  if (q_apart) heads.q = project_by_head(pass, pass.site(block.q_input, inputs), block, Part::Query);
  if (k_apart) heads.k = project_by_head(pass, pass.site(block.k_input, inputs), block, Part::Key);
  if (v_apart) heads.v = project_by_head(pass, pass.site(block.v_input, inputs), block, Part::Value);
  return heads;
}

// Heads q [B,H,T,K], k and v [B,H or H_kv,S,K] → z [B,T,H,K].
at::Tensor Decoder::mix(Pass& pass, const Block& block, const Heads& heads, const kernel::AttentionRule& rule) const {
  if (!pass.is_tapped(block.scores) && !pass.is_tapped(block.pattern))
    return kernel::causal_attention(heads.q, heads.k, heads.v, rule).transpose(1, 2);
  const at::Tensor scores = pass.site(block.scores, kernel::attention_scores(heads.q, heads.k, rule));
  const at::Tensor pattern = pass.site(block.pattern, at::softmax(scores, -1));
  return kernel::mix_values(pattern, heads.v).transpose(1, 2);
}

at::Tensor Decoder::attend(Pass& pass, const at::Tensor& residual, const at::Tensor& x, int64_t index,
                           const Places& places) const {
  const auto place = static_cast<size_t>(index);
  const Block& block = blocks_[place];
  const int64_t examples = x.size(0), positions = x.size(1), heads = spec_.facts.heads;
  const auto tapped = [&](SiteId site, const at::Tensor& value) {
    return pass.is_tapped(site) ? pass.site(site, with_heads(value, 2, heads)) : value;
  };
  Heads parts = project(pass, residual, x, block);
  parts.q = pass.site(block.hook_q, parts.q);
  parts.k = tapped(block.hook_k, parts.k);
  parts.v = tapped(block.hook_v, parts.v);
  if (spec_.rotary_frequencies.defined()) {
    parts.q = pass.site(block.rot_q, kernel::rotate_heads(parts.q, places.rotary));
    parts.k = tapped(block.rot_k, kernel::rotate_heads(parts.k, places.rotary));
  }
  parts = {parts.q.transpose(1, 2), parts.k.transpose(1, 2), parts.v.transpose(1, 2)};
  if (KeyValueCache* cache = pass.options().cache) {
    const auto extend = [&](at::Tensor& old, at::Tensor& now) {
      if (old.defined()) {
        const int64_t most = std::max(old.size(1), now.size(1));
        const bool is_forgotten = ASSAY_TWIN("nn.cache_forgets_what_it_held");
        now = at::cat({with_heads(is_forgotten ? at::zeros_like(old) : old, 1, most), with_heads(now, 1, most)}, 2);
      }
      old = now;
    };
    extend(cache->keys[place], parts.k);
    extend(cache->values[place], parts.v);
  }
  kernel::AttentionRule rule;
  rule.in_bf16 = pass.multiplies_in_bf16();
  if (!spec_.score_scales.empty()) rule.scale = spec_.score_scales[place];
  if (!spec_.windows.empty()) rule.window = spec_.windows[place];
  if (ASSAY_TWIN("nn.window_ignored")) rule.window = 0;
  rule.first = places.first;
  const at::Tensor z = pass.site(block.z, mix(pass, block, parts, rule));
  if (!pass.is_tapped(block.result)) return pass.linear(block.o, z.reshape({examples, positions, -1}));

  // What each head writes, made only to be looked at or changed: [B,T,H,D].
  pass.refuse_capture(block.o, "what its single heads write is tapped");
  const Layer& output = layers()[static_cast<size_t>(block.o)];
  const at::Tensor by_head =
      pass.weight(block.o).view({spec_.facts.width, heads, spec_.facts.head_width}).permute({1, 2, 0});
  const at::Tensor sum = pass.site(block.result, product_by_head(z, by_head)).sum(2);
  return output.bias >= 0 ? sum.add(pass.parameter(output.bias)) : sum;
}

}  // namespace assay::nn
