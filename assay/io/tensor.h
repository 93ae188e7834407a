// The bridge between arrays of files and tensors, in both directions without a copy. The only file of this area that
// knows LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include "assay/io/array.h"

namespace assay::io {

/// A CPU tensor on the array's own bytes, which it keeps alive. Writing into it changes the array, and never the file
/// that the array was mapped from.
at::Tensor to_tensor(const Array& array);

/// The array that a tensor is: its bytes are shared where it is contiguous and on the CPU, else copied there first.
Array from_tensor(const at::Tensor& tensor);

}  // namespace assay::io
