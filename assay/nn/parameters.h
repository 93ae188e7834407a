// The weights of a model: an ordered list of named tensors. A copy shares the tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace assay::nn {

/// How a fresh weight is drawn.
enum class Initial { Normal, Ones, Zeros };

/// What a family expects of one weight.
struct ParameterInfo {
  std::string name;  ///< as in the Hugging Face layout: "model.layers.0.self_attn.q_proj.weight"
  std::vector<int64_t> shape;
  Initial initial = Initial::Normal;
  double deviation = 0.02;  ///< Normal: standard deviation
};

/// What a weight of this shape is kept in, where the matrices of a model are kept in `dtype`: of bf16 that is the
/// matrices alone, because vectors (norms, biases) are few and enter no product.
at::ScalarType kept_type(at::IntArrayRef shape, at::ScalarType dtype);

class Parameters {
 public:
  void add(std::string name, at::Tensor tensor);

  size_t size() const { return tensors_.size(); }
  const std::string& name(size_t i) const { return names_[i]; }
  const at::Tensor& operator[](size_t i) const { return tensors_[i]; }
  at::Tensor& operator[](size_t i) { return tensors_[i]; }
  const std::vector<at::Tensor>& tensors() const { return tensors_; }
  const std::vector<std::string>& names() const { return names_; }

  int64_t count() const;                      ///< P: numbers in all tensors
  int64_t bytes() const;                      ///< of all tensors
  Parameters clone() const;                   ///< own storage, no gradient history
  Parameters to(at::ScalarType dtype) const;  ///< each in its kept_type; shares what is of that type already
  void require_gradients(bool on);
  std::string hash() const;  ///< XXH3-128 over names, shapes and bytes

 private:
  std::vector<std::string> names_;
  std::vector<at::Tensor> tensors_;
};

}  // namespace assay::nn
