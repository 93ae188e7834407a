#include "assay/kernel/attention.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <cmath>
#include <limits>

#include "assay/core/twin.h"
#include "assay/kernel/narrow_attention.h"

namespace assay::kernel {
namespace {

/// [B,H_kv,S,K] → [B,H,S,K], each key-value head repeated for its group of query heads.
at::Tensor expand_groups(const at::Tensor& x, int64_t heads) {
  const int64_t groups = x.size(1);
  if (groups == heads) return x;
  if (ASSAY_TWIN("kernel.groups_interleaved")) return x.repeat({1, heads / groups, 1, 1});
  return x.unsqueeze(2).expand({-1, -1, heads / groups, -1, -1}).reshape({x.size(0), heads, x.size(2), x.size(3)});
}

/// True where query t (the last T of S positions) may not look: [T,S].
at::Tensor future(int64_t queries, int64_t keys) {
  return at::ones({queries, keys}, at::kBool).triu(keys - queries + 1);
}

}  // namespace

at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const int64_t queries = q.size(2), keys = k.size(2);
  if (is_narrow_attention(q, k, v) && !ASSAY_TWIN("kernel.groups_interleaved")) return narrow_attention(q, k, v);
  const at::Tensor all_k = expand_groups(k, q.size(1)), all_v = expand_groups(v, q.size(1));
  if (queries == keys) return at::scaled_dot_product_attention(q, all_k, all_v, {}, 0.0, /*is_causal=*/true);
  if (queries == 1) return at::scaled_dot_product_attention(q, all_k, all_v);
  return at::scaled_dot_product_attention(q, all_k, all_v, future(queries, keys).logical_not());
}

at::Tensor attention_scores(const at::Tensor& q, const at::Tensor& k) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(q.size(3)));
  return at::matmul(q, expand_groups(k, q.size(1)).transpose(2, 3))
      .mul(scale)
      .masked_fill(future(q.size(2), k.size(2)), -std::numeric_limits<double>::infinity());
}

at::Tensor mix_values(const at::Tensor& pattern, const at::Tensor& v) {
  return at::matmul(pattern, expand_groups(v, pattern.size(1)));
}

}  // namespace assay::kernel
