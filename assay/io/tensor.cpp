#include "assay/io/tensor.h"

#include <ATen/ops/from_blob.h>

#include <array>
#include <utility>

namespace assay::io {
namespace {

constexpr std::array<std::pair<DType, c10::ScalarType>, 15> kTypes{{{DType::Bool, c10::ScalarType::Bool},
                                                                    {DType::U8, c10::ScalarType::Byte},
                                                                    {DType::I8, c10::ScalarType::Char},
                                                                    {DType::F8_E5M2, c10::ScalarType::Float8_e5m2},
                                                                    {DType::F8_E4M3, c10::ScalarType::Float8_e4m3fn},
                                                                    {DType::I16, c10::ScalarType::Short},
                                                                    {DType::U16, c10::ScalarType::UInt16},
                                                                    {DType::F16, c10::ScalarType::Half},
                                                                    {DType::BF16, c10::ScalarType::BFloat16},
                                                                    {DType::I32, c10::ScalarType::Int},
                                                                    {DType::U32, c10::ScalarType::UInt32},
                                                                    {DType::F32, c10::ScalarType::Float},
                                                                    {DType::F64, c10::ScalarType::Double},
                                                                    {DType::I64, c10::ScalarType::Long},
                                                                    {DType::U64, c10::ScalarType::UInt64}}};

c10::ScalarType scalar_type_of(DType dtype) {
  for (const auto& [ours, theirs] : kTypes) {
    if (ours == dtype) return theirs;
  }
  fail_assertion("every DType has a ScalarType", __FILE__, __LINE__);
}

DType dtype_of_scalar(c10::ScalarType type) {
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == type) return ours;
  }
  throw Error(ErrorKind::Internal, std::string("storing a tensor: its type must be one of safetensors', but it is ") +
                                       c10::toString(type) + "; convert it first");
}

}  // namespace

at::Tensor to_tensor(const Array& array) {
  void* data = const_cast<std::byte*>(array.bytes.data());
  return at::from_blob(
      data, array.shape, [owner = array.owner](void*) {}, at::TensorOptions(scalar_type_of(array.dtype)));
}

Array from_tensor(const at::Tensor& tensor) {
  const auto owner = std::make_shared<const at::Tensor>(tensor.detach().cpu().contiguous());
  const auto* data = static_cast<const std::byte*>(owner->const_data_ptr());
  return {dtype_of_scalar(owner->scalar_type()), owner->sizes().vec(), {data, owner->nbytes()}, owner};
}

}  // namespace assay::io
