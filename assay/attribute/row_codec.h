// Rows of a gradient index as they lie on disk, and back. bf16 rounds to 8 bits of mantissa and has float32's range;
// fp16 keeps 11 bits, int8 about 7 below the largest number of its scale.
//
// A scale belongs to one row and one layer. Gradients of documents differ by orders of magnitude, and those of layers
// too: a scale for a block of rows would round its small documents to nothing, one for a whole row its small layers.
// With one each, the largest number of every row and layer fills the type, so that nothing overflows (a summed loss has
// gradients beyond fp16's 65,504) and every document keeps the same relative precision. That is 4 bytes beside k.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "assay/attribute/index_settings.h"

namespace assay::attribute {

struct StoredRows {
  at::Tensor numbers;      ///< [n,K] of the row's type
  at::Tensor scales = {};  ///< [n,L] float32, or undefined where the type needs none
};

/// Columns of the layers in a row: those of layer l begin at offsets[l] and end where the next begin; offsets.back()
/// is K.
using RowLayout = std::vector<int64_t>;

StoredRows encode_rows(const at::Tensor& rows, RowType type, const RowLayout& layout);
/// [n,K] of `dtype`; the stored numbers themselves where they are of it.
at::Tensor decode_rows(const StoredRows& stored, const RowLayout& layout, at::ScalarType dtype);

}  // namespace assay::attribute
