// What a query may look at beyond causality, and how its scores are scaled.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>

namespace assay::kernel {

/// Query t counts its place among the S keys: the T queries are the last of them.
struct AttentionRule {
  double scale = 0;    ///< scores are q·k times this; 0: 1/sqrt(K)
  int64_t window = 0;  ///< key j is seen by query t only where t - j < window; 0: no limit
  at::Tensor first;    ///< [B] int64: place of the first real position of each row, padding on the left; undefined: 0.
                       ///< A query before it sees itself alone.
  bool in_bf16 = false;  ///< products may take bf16 inputs, where that is faster ([narrow_]bf16_attention.h)
};

/// The first key that the query at place t sees, of a row with `padding` before it. window 0: none.
constexpr int64_t first_seen_key(int64_t t, int64_t window, int64_t padding) {
  return std::max(std::min(padding, t), window > 0 ? t - window + 1 : 0);
}

}  // namespace assay::kernel
