// The output head and the cross-entropy in one, by chunks of positions: logits [n,V] of a large vocabulary are never
// held whole, and the gradient with respect to the hidden states is taken while the chunk is there.
//
// A head of bf16 makes both products those of bf16 (products.h), and what is kept of a logit is bf16 (head_softmax.h);
// sums are float32. On the matrix unit not even a chunk is held (amx_head.h), unless the head's own gradient is wanted.
//
// Cost: 2·n·D·V multiply-adds with the gradient of the hidden states, one more with that of the head, n·D·V without;
// memory one chunk of 64 MiB of exponentials, all of them where the head's gradient is wanted.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "assay/kernel/drawn_targets.h"

namespace assay::kernel {

/// Picks the target of each row of one chunk, whose first row is this → targets [rows] int64.
using ChooseTargets = std::function<at::Tensor(const Shares& shares, int64_t first_row)>;

/// What of the head's softmax does not depend on the targets: all of its gradient in the hidden states but one row.
struct HeadMoments {
  at::Tensor means;     ///< [n,D] Σ_v p_v W_v
  at::Tensor log_sums;  ///< [n] log Σ_v e^logit
};

/// log softmax(h Wᵀ)[target] for each row: hidden [n,D], head [V,D] → [n]. Differentiable once, in `hidden`
/// and in `head`. `moments` are filled in where hidden's gradient is wanted and the head's is not.
at::Tensor head_log_probabilities(const at::Tensor& hidden, const at::Tensor& head, const ChooseTargets& choose,
                                  HeadMoments* moments = nullptr);
/// The same for other targets [n] int64 of the same hidden states, from what an earlier call has left: n·D
/// multiply-adds and the same bits of the gradient. Differentiable in `hidden`.
at::Tensor head_log_probabilities(const at::Tensor& hidden, const at::Tensor& head, const at::Tensor& targets,
                                  const HeadMoments& moments);

/// Bytes that it holds at a time for `rows` of this width, the result apart, where the head's gradient is not wanted.
int64_t head_working_bytes(int64_t rows, int64_t width, int64_t vocabulary, at::ScalarType type);

/// The same without a head, from logits [n,V]; differentiable.
at::Tensor logit_log_probabilities(const at::Tensor& logits, const ChooseTargets& choose);

ChooseTargets given_targets(at::Tensor targets);  ///< [n] int64

/// Draws from each row's distribution by inverting its cumulative sum (drawn_targets.h) at uniform(seed, key). keys:
/// [n].
ChooseTargets drawn_targets(uint64_t seed, std::vector<DrawKey> keys);

}  // namespace assay::kernel
