// Causal attention for heads of at most 16 numbers where products may take bf16, on the matrix unit (amx_tiles.h).
// The formulas are those of narrow_attention.h.
//
// Keys are the rows of a tile and sixteen queries its columns. A tile is 32 deep and a head at most 16, so there is
// room for what rounding takes off: q and k are halves x = high + low of bf16, and of the four products of halves the
// three large ones stand side by side along the depth, so that scores are off by 2^-16 of their size, not 2^-8. p, ds
// and what they are multiplied with are rounded to bf16, v before all; shares are divided by the sum of the rounded
// ones. So the gradients are those of what was computed, and δ takes off of ⟨dz, v⟩ what it should where p is near 1.
//
// A strip of 32 queries walks from the keys it sees last to the first. The level that exponentials are taken at is the
// largest score among the sixteen keys beside a query's own; in the rare strip where another score lies so far above
// that a sum overflows, all keys are asked first. While the vector units turn one tile of scores into p and ds the
// matrix unit multiplies the next. One thread does all query heads that read a key-value head, so that the bits do not
// depend on the number of threads.
//
// Sixteen pairs of positions cost a vector unit about 15 instructions forward and 20 backward; memory of a thread 5 to
// 7 KiB for every 16 positions.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/kernel/attention_rule.h"

namespace assay::kernel {

/// Whether it takes these here: float32 on a processor with the matrix unit, K <= 16, as many queries as keys.
bool is_narrow_bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// As causal_attention, q [B,H,T,K]; k, v [B,H_kv,T,K]; the rule's scale is given. Returns z [B,H,T,K], stored as
/// [B,T,H,K]. Keys and values must be finite, unseen ones too. The three must not be written to before the backward
/// pass, which reads them again.
at::Tensor narrow_bf16_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const AttentionRule& rule);

}  // namespace assay::kernel
