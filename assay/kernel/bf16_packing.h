// Operands of bf16 products laid out as the micro-kernel wants them: pairs of neighbours along the depth side by side,
// so that a pair is one 32-bit word.
//
//   pack_pairs      [k,n] → words [⌈k/2⌉,n]       the right operand
//   pack_rows       columns side by side → rows    the left operand, when it comes transposed: pairs, then turned round
//
// An odd depth is filled up with a zero. Bound by the cache.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace assay::kernel {

/// A bf16 matrix in memory, as 16-bit words; one of the strides is 1.
struct Bf16View {
  const uint16_t* data;
  int64_t rows, columns, row_stride, column_stride;
  [[nodiscard]] bool has_rows() const { return column_stride == 1; }
  [[nodiscard]] Bf16View block(int64_t row, int64_t column, int64_t height, int64_t width) const {
    return {data + row * row_stride + column * column_stride, height, width, row_stride, column_stride};
  }
  [[nodiscard]] Bf16View transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

/// A matrix of bf16 whose rows or whose columns lie side by side.
Bf16View bf16_view(const at::Tensor& x);

/// view [k,n] → to [⌈k/2⌉,n] words, the earlier row in the low half.
void pack_pairs(const Bf16View& view, uint32_t* to);

/// view [m,k] → to [m,⌈k/2⌉] words: rows of an even length.
void pack_rows(const Bf16View& view, uint32_t* to);

}  // namespace assay::kernel
