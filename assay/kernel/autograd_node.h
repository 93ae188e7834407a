// Hand-written derivatives: a result that knows its own backward pass. One autograd node, no registration, nothing
// saved that the closure does not hold; the closure is dropped as soon as the backward pass has used it. First order
// only.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace assay::kernel {

/// Gradient of the result in, one gradient for each input out (undefined where none is wanted).
using Backward = std::function<std::vector<at::Tensor>(const at::Tensor& gradient)>;

/// Gives `output`, computed without history, a history: d(loss)/d(inputs[i]) is backward(d(loss)/d(output))[i].
/// Without gradient mode, or when no input requires a gradient and `always` is false, the output is returned as it is.
/// The closure must not hold `output` itself (it would keep itself alive); a detached copy is fine.
at::Tensor attach_backward(at::Tensor output, std::vector<at::Tensor> inputs, Backward backward, bool always = false);

}  // namespace assay::kernel
