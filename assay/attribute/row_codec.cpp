#include "assay/attribute/row_codec.h"

#include <ATen/ops/empty.h>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::attribute {
namespace {

constexpr double kLargestInt8 = 127;

int64_t layers_in(const RowLayout& layout) {
  return static_cast<int64_t>(layout.size()) - 1;
}

at::Tensor columns_of(const at::Tensor& rows, const RowLayout& layout, int64_t layer) {
  const int64_t begin = layout[static_cast<size_t>(layer)], end = layout[static_cast<size_t>(layer) + 1];
  return rows.narrow(1, begin, end - begin);
}

}  // namespace

StoredRows encode_rows(const at::Tensor& rows, RowType type, const RowLayout& layout) {
  switch (type) {
    case RowType::Float64: return {rows.to(at::kDouble)};
    case RowType::Float32: return {rows.to(at::kFloat)};
    case RowType::BFloat16: return {rows.to(at::kBFloat16)};
    case RowType::Float16:
    case RowType::Int8: break;
  }
  const bool is_int8 = type == RowType::Int8;
  const double steps = ASSAY_TWIN("attribute.int8_scaled_to_128") ? 128 : kLargestInt8;
  StoredRows stored{at::empty(rows.sizes(), at::TensorOptions(is_int8 ? at::kChar : at::kHalf)),
                    at::empty({rows.size(0), layers_in(layout)}, at::kFloat)};
  const at::Tensor whole = rows.abs().amax({1}, /*keepdim=*/true);
  for (int64_t layer = 0; layer < layers_in(layout); ++layer) {
    const at::Tensor part = columns_of(rows, layout, layer);
    at::Tensor largest = ASSAY_TWIN("attribute.one_scale_a_row") ? whole : part.abs().amax({1}, /*keepdim=*/true);
    if (ASSAY_TWIN("attribute.fp16_without_scale") && !is_int8) largest.fill_(1);
    const at::Tensor scale = largest.masked_fill(largest.eq(0), 1).div(is_int8 ? steps : 1).to(at::kFloat);
    stored.scales.narrow(1, layer, 1).copy_(scale);
    const at::Tensor scaled = part.div(scale);
    columns_of(stored.numbers, layout, layer)
        .copy_(is_int8 ? scaled.round().clamp(-kLargestInt8, kLargestInt8) : scaled);
  }
  return stored;
}

at::Tensor decode_rows(const StoredRows& stored, const RowLayout& layout, at::ScalarType dtype) {
  ASSAY_ASSERT(layout.back() == stored.numbers.size(1));
  const at::Tensor numbers = stored.numbers.to(dtype);
  if (!stored.scales.defined()) return numbers;
  for (int64_t layer = 0; layer < layers_in(layout); ++layer)
    columns_of(numbers, layout, layer).mul_(stored.scales.narrow(1, layer, 1));
  return numbers;
}

}  // namespace assay::attribute
