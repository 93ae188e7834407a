// The softmax of rows over a head of bf16, and the mean of the head under it, on the matrix unit in one pass over the
// head, as fused attention does it: of a block of some hundred classes a strip of 32 rows has its logits, their
// exponentials in bf16 and their product with the same block while the block stays in a core's L2, for sixteen strips
// one after the other. Of 32 classes the vector units make the exponentials while the matrix unit multiplies the next.
// Nothing of [n,V] is ever held.
//
// The level of a row is the greatest logit of the first 32 classes. Where a block's exponentials add up to more than
// 1e26 (or are no numbers) it rises to the greatest of that block, with what was summed before, and the block is made
// again. A label is drawn by the sums of the blocks first (float32 within a block, float64 between them), then in its
// block, whose logits are formed again for the rows that drew from it: the head is laid out once more for each seed.
//
// Cost: n·D·V multiply-adds, as many again for the means; memory as working_bytes says: 2.5·D numbers a row, one for
// each block, and 8 MiB for the head's layouts.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/kernel/drawn_targets.h"

namespace assay::kernel {

class AmxHead final : public Shares {
 public:
  /// Whether it can read these: has_amx(), head [V,D] of bf16.
  static bool can_read(const at::Tensor& rows, const at::Tensor& head);
  /// rows [n,D] and head [V,D], bf16.
  AmxHead(const at::Tensor& rows, const at::Tensor& head, bool with_means);

  /// Bytes that it needs while it is made, log-sums and means included.
  static int64_t working_bytes(int64_t rows, int64_t width, int64_t vocabulary);

  int64_t rows() const override { return rows_.size(0); }
  at::Tensor draw(uint64_t seed, const DrawKey* keys) const override;
  const at::Tensor& log_sums() const { return log_sums_; }  ///< [n] log Σ_v e^logit
  const at::Tensor& means() const { return means_; }        ///< [n,D] Σ_v p_v W_v, of shares that sum to 1 in bf16

 private:
  at::Tensor rows_, head_;                             // dense rows
  at::Tensor levels_, block_sums_, log_sums_, means_;  // [n], [n,blocks] of shares in bf16, [n], [n,D]
  int64_t block_;                                      // classes
};

}  // namespace assay::kernel
