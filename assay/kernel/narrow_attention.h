// Causal attention for heads of at most 16 numbers on the CPU, in one pass forward and one backward.
//
//   z_t = Σ_j p_tj v_j,  p_tj = exp(s_tj - L_t),  s_tj = c·q_t·k_j,  L_t = log Σ_j exp(s_tj)
//   δ_t = ⟨dz_t, z_t⟩,  ds_tj = c·p_tj (⟨dz_t, v_j⟩ - δ_t)
//   dq_t = Σ_j ds_tj k_j,  dk_j = Σ_t ds_tj q_t,  dv_j = Σ_t p_tj dz_t
//
// Sums go over the keys j that query t sees and the queries t that see key j (attention_rule.h); blocks of keys that
// lie outside a window or in the padding are not visited.
// Exact to rounding (Vaswani et al. 2017). Of the pattern only L is kept, [B,H,T], and the backward pass computes p
// again (Dao et al. 2022, arXiv 2205.14135). A pair of positions costs 2K multiply-adds and one exponential forward,
// 5K and one backward; general products of depth K spend most of their time on packing when K is this small. Queries
// are the lanes of a vector, keys and values numbers that all lanes share, so that no sum crosses lanes; dk and dv are
// summed once per block of keys, side by side, from the p and ds that were left side by side. One thread does all query
// heads that read a key-value head, so repeated keys are never written out and the sums of dk and dv do not depend on
// the number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/kernel/attention_rule.h"

namespace assay::kernel {

/// Whether narrow_attention takes these: float or double on the CPU, K <= 16, as many queries as keys.
bool is_narrow_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// As causal_attention, q [B,H,T,K]; k, v [B,H_kv,T,K], of any strides; the rule's scale is given. Returns z [B,H,T,K],
/// stored as [B,T,H,K]. The three must not be written to before the backward pass, which reads them again.
at::Tensor narrow_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, AttentionRule rule);

}  // namespace assay::kernel
