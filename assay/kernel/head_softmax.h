// The softmax over a vocabulary, made where its logits are made: the head is multiplied by blocks of the vocabulary,
// and what is kept of a block is e^(logit - level), in bf16 where the head is bf16. Neither the logits nor the
// probabilities are held: what reads them divides by the row's sum.
//
// The level of a row is the greatest logit of its first block; it moves only where a later logit is kFarAbove greater,
// so that a block is written once. Exact up to rounding: an exponential too small beside e^level to be a float counts
// as 1e-38. Cost: n·D·V multiply-adds and one exponential a logit; memory n·V numbers, and 4096 n more for bf16.
#pragma once

#include <ATen/core/Tensor.h>

namespace assay::kernel {

struct HeadSoftmax {
  at::Tensor exponentials;  ///< [n,V] e^(logit - level)
  at::Tensor levels;        ///< [n], of the type of sums
  at::Tensor sums;          ///< [n] Σ_v e^(logit - level); float32, float64 for a head of float64
  /// [n] Σ_v of the exponentials as they are kept. Divided by it they sum to 1, so that of a certain prediction nothing
  /// is left but what is missing to 1, not the rounding of its own share.
  at::Tensor kept_sums;
};

/// Whether these can be read: on the processor, head [V,D] of float32, float64 or bf16, rows [n,D] of the same type.
bool has_head_softmax(const at::Tensor& rows, const at::Tensor& head);

/// rows [n,D] and head [V,D] of one type.
HeadSoftmax head_softmax(const at::Tensor& rows, const at::Tensor& head);

}  // namespace assay::kernel
