// Causal attention with grouped queries: query head h reads key-value head ⌊h · H_kv / H⌋. Query t sees key j where
//
//   0 <= t - j,  t - j < window where there is one,  first_b <= j where the row is padded on the left
//
// and itself in any case. Heads of at most 16 numbers take the kernel of narrow_attention.h, others ATen's; where
// products may take bf16 that of narrow_bf16_attention.h or bf16_attention.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/kernel/attention_rule.h"

namespace assay::kernel {

/// softmax(q kᵀ · scale, masked by the rule) v. q [B,H,T,K]; k, v [B,H_kv,S,K] with S >= T: the queries are the last T
/// of the S positions. Returns z [B,H,T,K]. Scores are not kept.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const AttentionRule& rule = {});

/// The same in two steps that show what lies between. Scores are masked with -infinity: [B,H,T,S].
at::Tensor attention_scores(const at::Tensor& q, const at::Tensor& k, const AttentionRule& rule = {});
/// pattern [B,H,T,S] times the values.
at::Tensor mix_values(const at::Tensor& pattern, const at::Tensor& v);

}  // namespace assay::kernel
