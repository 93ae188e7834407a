// Causal attention by products of bf16, for heads too wide for narrow_attention.h, in one pass forward and one
// backward.
//
//   s_tj = c·q_t·k_j,  L_t = log Σ_j exp(s_tj),  p_tj = exp(s_tj - L_t),  z_t = Σ_j p_tj v_j
//   ds_tj = c·p_tj (⟨dz_t, v_j⟩ - Σ_i p_ti ⟨dz_t, v_i⟩)
//   dq_t = Σ_j ds_tj k_j,  dk_j = Σ_t ds_tj q_t,  dv_j = Σ_t p_tj dz_t
//
// Inputs of the seven products (q, k, v, dz, p, ds) are rounded to bf16, their sums are float32, and so is softmax; p
// is divided by its sum after the product. 32 queries meet all keys that they see, in tiles of the matrix unit; of the
// pattern only L is kept (Dao et al. 2022, arXiv 2205.14135). One thread does all query heads that read a key-value
// head, so that the bits do not depend on the number of threads. Keys and values must be finite, unseen ones too.
// 2K multiply-adds and one exponential a pair of positions forward, 5K and one backward; memory of a thread, in
// numbers: 80 rows of scores forward, 192 backward, keys and values twice, their gradients once.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/kernel/attention_rule.h"

namespace assay::kernel {

/// Whether bf16_attention takes these here: float32 on a processor with the matrix unit, and queries enough.
bool is_bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// As causal_attention, q [B,H,T,K]; k, v [B,H_kv,S,K]; the rule's scale is given. Returns z [B,H,T,K], stored as
/// [B,T,H,K].
at::Tensor bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const AttentionRule& rule);

}  // namespace assay::kernel
