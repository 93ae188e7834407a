// Causal attention with grouped queries: query head h reads key-value head ⌊h · H_kv / H⌋.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

/// softmax(q kᵀ / sqrt(K), causal) v. q [B,H,T,K]; k, v [B,H_kv,S,K] with S >= T: the queries are the last T of the S
/// positions. Returns z [B,H,T,K]. Scores are not kept.
at::Tensor causal_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// The same in two steps that show what lies between. Scores are masked with -infinity: [B,H,T,S].
at::Tensor attention_scores(const at::Tensor& q, const at::Tensor& k);
/// pattern [B,H,T,S] times the values.
at::Tensor mix_values(const at::Tensor& pattern, const at::Tensor& v);

}  // namespace assay::kernel
