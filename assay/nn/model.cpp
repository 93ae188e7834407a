#include "assay/nn/model.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <functional>
#include <numeric>

#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/core/philox.h"
#include "assay/core/plan.h"
#include "assay/nn/head_memory.h"
#include "assay/nn/pass.h"

namespace assay::nn {
namespace {

at::Tensor draw(const ParameterInfo& info, uint64_t seed) {
  const uint64_t stream = stream_of(info.name.c_str());
  at::Tensor tensor = at::empty(info.shape, at::kDouble);
  double* numbers = tensor.data_ptr<double>();
  at::parallel_for(0, tensor.numel(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      numbers[i] = info.deviation * random_normal(seed, stream, static_cast<uint64_t>(i));
  });
  return tensor;
}

/// The system grants memory that it does not have and stops the program once it is written to.
void require_memory(const Architecture& architecture, at::ScalarType dtype) {
  double weights = 0;
  for (const ParameterInfo& info : architecture.parameters())
    weights += std::accumulate(info.shape.begin(), info.shape.end(), 1.0, std::multiplies<>());
  const double bytes = weights * static_cast<double>(c10::elementSize(dtype));
  const int64_t available = available_memory_bytes();
  if (bytes <= static_cast<double>(available)) return;
  throw Error(ErrorKind::Resource,
              fmt::format("making a model: its weights must fit into memory, but {:.3g} of them take {:.3g} GB of {} "
                          "that are free; choose smaller sizes",
                          weights, bytes / 1e9, format_bytes(available)));
}

}  // namespace

Model::Model(std::shared_ptr<const Architecture> architecture, Parameters parameters)
    : architecture_(std::move(architecture)), parameters_(std::move(parameters)) {
  ASSAY_ASSERT(parameters_.size() == architecture_->parameters().size());
  ASSAY_ASSERT(parameters_[0].dim() == 2);
}

at::ScalarType Model::dtype() const {
  const at::ScalarType kept = matrix_dtype();
  return kept == at::kBFloat16 ? at::kFloat : kept;
}

at::ScalarType Model::matrix_dtype() const {
  return parameters_[0].scalar_type();  // of every family the first weight is a matrix
}

const char* precision_name(const Model& model) {
  switch (model.matrix_dtype()) {
    case at::kBFloat16: return "bf16";
    case at::kDouble: return "fp64";
    default: return "fp32";
  }
}

double& products_of(const Model& model, Cost& cost) {
  switch (model.matrix_dtype()) {
    case at::kBFloat16: return cost.flops_bf16;
    case at::kDouble: return cost.flops_fp64;
    default: return cost.flops;
  }
}

Run Model::run(const data::Batch& batch, const Taps& taps, const RunOptions& options) const {
  auto recording = std::make_shared<Recording>();
  Pass pass(*architecture_, parameters_, batch, taps, options, recording);
  Output output = architecture_->forward(pass);
  const bool is_plain = taps.taps().empty() && options.cache == nullptr && options.first_block == 0;
  if (is_plain && output.head.defined()) output.head_memory = head_memory_;
  return {std::move(output), std::move(recording)};
}

Model Model::remembering_heads(int64_t bytes) const {
  Model model = with(parameters_);
  model.head_memory_ = std::make_shared<HeadMemory>(bytes);
  return model;
}

void Model::forget_heads() const {
  if (head_memory_) head_memory_->close();
}

Model initialize(std::shared_ptr<const Architecture> architecture, uint64_t seed, at::ScalarType dtype) {
  require_memory(*architecture, dtype);
  Parameters parameters;
  for (const ParameterInfo& info : architecture->parameters()) {
    const at::ScalarType kept = kept_type(info.shape, dtype);
    switch (info.initial) {
      case Initial::Normal: parameters.add(info.name, draw(info, seed).to(kept)); break;
      case Initial::Ones: parameters.add(info.name, at::ones(info.shape, kept)); break;
      case Initial::Zeros: parameters.add(info.name, at::zeros(info.shape, kept)); break;
    }
  }
  return Model(std::move(architecture), std::move(parameters));
}

}  // namespace assay::nn
