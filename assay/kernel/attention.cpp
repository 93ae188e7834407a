#include "assay/kernel/attention.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <cmath>
#include <limits>
#include <optional>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/kernel/bf16_attention.h"
#include "assay/kernel/narrow_attention.h"
#include "assay/kernel/narrow_bf16_attention.h"

namespace assay::kernel {
namespace {

/// [B,H_kv,S,K] → [B,H,S,K], each key-value head repeated for its group of query heads.
at::Tensor expand_groups(const at::Tensor& x, int64_t heads) {
  const int64_t groups = x.size(1);
  if (groups == heads) return x;
  if (ASSAY_TWIN("kernel.groups_interleaved")) return x.repeat({1, heads / groups, 1, 1});
  return x.unsqueeze(2).expand({-1, -1, heads / groups, -1, -1}).reshape({x.size(0), heads, x.size(2), x.size(3)});
}

/// The rule with its defaults filled in: a scale, and no window that no query outgrows.
AttentionRule complete(AttentionRule rule, const at::Tensor& q, int64_t keys) {
  ASSAY_ASSERT(q.size(2) <= keys && rule.window >= 0);
  ASSAY_ASSERT(!rule.first.defined() ||
               (rule.first.scalar_type() == at::kLong && rule.first.dim() == 1 && rule.first.size(0) == q.size(0)));
  if (ASSAY_TWIN("kernel.attention_window_one_too_wide") && rule.window > 0) ++rule.window;
  if (ASSAY_TWIN("kernel.attention_first_ignored")) rule.first.reset();
  if (rule.scale == 0 || ASSAY_TWIN("kernel.attention_scale_ignored")) {
    rule.scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  }
  if (rule.window >= keys) rule.window = 0;
  return rule;
}

/// True where query t (the last T of S positions) may not look: [1,1,T,S], or [B,1,T,S] where rows are padded.
at::Tensor hidden_keys(const AttentionRule& rule, const at::Tensor& q, int64_t keys) {
  const at::TensorOptions options = q.options().dtype(at::kLong).requires_grad(false);
  const at::Tensor key = at::arange(keys, options), query = at::arange(keys - q.size(2), keys, options).unsqueeze(1);
  const at::Tensor distance = query.sub(key);
  at::Tensor hidden = distance.lt(0);
  if (rule.window > 0) hidden = hidden.logical_or(distance.ge(rule.window));
  if (!rule.first.defined()) return hidden.unsqueeze(0).unsqueeze(0);
  const at::Tensor padding = key.lt(rule.first.view({-1, 1, 1, 1})).logical_and(distance.ne(0));
  return hidden.logical_or(padding);
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionRule& given) {
  const int64_t queries = q.size(2), keys = k.size(2);
  const AttentionRule rule = complete(given, q, keys);
  if (rule.in_bf16 && is_narrow_bf16_attention(q, k, v)) return narrow_bf16_attention(q, k, v, rule);
  if (is_narrow_attention(q, k, v) && !ASSAY_TWIN("kernel.groups_interleaved")) return narrow_attention(q, k, v, rule);
  if (rule.in_bf16 && is_bf16_attention(q, k, v)) return bf16_attention(q, k, v, rule);
  const at::Tensor all_k = expand_groups(k, q.size(1)), all_v = expand_groups(v, q.size(1));
  const bool only_causal = rule.window == 0 && !rule.first.defined();
  const bool is_square = only_causal && queries == keys;
  std::optional<at::Tensor> seen;
  if (!is_square && !(only_causal && queries == 1)) seen = hidden_keys(rule, q, keys).logical_not();
  return at::scaled_dot_product_attention(q, all_k, all_v, seen, 0.0, /*is_causal=*/is_square, rule.scale);
}

at::Tensor attention_scores(const at::Tensor& q, const at::Tensor& k, const AttentionRule& given) {
  const AttentionRule rule = complete(given, q, k.size(2));
  return at::matmul(q, expand_groups(k, q.size(1)).transpose(2, 3))
      .mul(rule.scale)
      .masked_fill(hidden_keys(rule, q, k.size(2)), -std::numeric_limits<double>::infinity());
}

at::Tensor mix_values(const at::Tensor& pattern, const at::Tensor& v) {
  return at::matmul(pattern, expand_groups(v, pattern.size(1)));
}

}  // namespace assay::kernel
