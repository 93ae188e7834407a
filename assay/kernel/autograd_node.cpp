#include "assay/kernel/autograd_node.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "assay/core/error.h"

namespace assay::kernel {
namespace {

struct ClosureNode final : torch::autograd::Node {
  Backward backward;

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    ASSAY_ASSERT(backward);  // a second pass through a freed graph
    return backward(gradients[0]);
  }
  void release_variables() override { backward = nullptr; }
};

}  // namespace

at::Tensor attach_backward(at::Tensor output, std::vector<at::Tensor> inputs, Backward backward, bool always) {
  const bool wanted =
      at::GradMode::is_enabled() && (always || std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& input) {
                                       return input.defined() && input.requires_grad();
                                     }));
  if (!wanted) return output;
  auto node = c10::make_intrusive<ClosureNode>();
  for (const at::Tensor& input : inputs) {
    node->add_next_edge(input.defined() ? torch::autograd::impl::gradient_edge(input) : torch::autograd::Edge());
  }
  node->backward = std::move(backward);
  torch::autograd::set_history(output, node);
  return output;
}

}  // namespace assay::kernel
