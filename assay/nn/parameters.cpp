#include "assay/nn/parameters.h"

#include "assay/core/error.h"
#include "assay/core/hash.h"

namespace assay::nn {

at::ScalarType kept_type(at::IntArrayRef shape, at::ScalarType dtype) {
  return dtype == at::kBFloat16 && shape.size() < 2 ? at::kFloat : dtype;
}

void Parameters::add(std::string name, at::Tensor tensor) {
  names_.push_back(std::move(name));
  tensors_.push_back(std::move(tensor));
}

int64_t Parameters::count() const {
  int64_t numbers = 0;
  for (const at::Tensor& tensor : tensors_) numbers += tensor.numel();
  return numbers;
}

int64_t Parameters::bytes() const {
  int64_t bytes = 0;
  for (const at::Tensor& tensor : tensors_) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

Parameters Parameters::clone() const {
  Parameters copy;
  for (size_t i = 0; i < size(); ++i) copy.add(names_[i], tensors_[i].detach().clone());
  return copy;
}

Parameters Parameters::to(at::ScalarType dtype) const {
  Parameters copy;
  for (size_t i = 0; i < size(); ++i) {
    copy.add(names_[i], tensors_[i].detach().to(kept_type(tensors_[i].sizes(), dtype)));
  }
  return copy;
}

void Parameters::require_gradients(bool on) {
  for (at::Tensor& tensor : tensors_) tensor.requires_grad_(on);
}

std::string Parameters::hash() const {
  Hasher hasher;
  for (size_t i = 0; i < size(); ++i) {
    const at::Tensor tensor = tensors_[i].detach().contiguous();
    hasher.add(names_[i]).add(std::string_view(c10::toString(tensor.scalar_type())));
    for (int64_t extent : tensor.sizes()) hasher.add(static_cast<uint64_t>(extent));
    hasher.add(std::span(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()));
  }
  return hasher.digest128();
}

}  // namespace assay::nn
