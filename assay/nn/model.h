// A Model: an architecture and its parameters. A value: copying shares the weights, running never changes it.
//
// A model of bf16 keeps its matrices in bf16 and multiplies with them in bf16, forwards and backwards, with float32
// results: inputs of products are rounded to 8 bits, sums are not. Everything else is float32: vectors, the residual
// stream, norms, softmax and attention, gradients between layers, and whatever is summed from them.
#pragma once

#include <memory>
#include <string>

#include "assay/core/plan.h"
#include "assay/data/batch.h"
#include "assay/nn/architecture.h"
#include "assay/nn/taps.h"

namespace assay::nn {

/// Keys and values of the positions run so far, one pair a block: what a text model needs to go on from them.
struct KeyValueCache {
  std::vector<at::Tensor> keys, values;  ///< each [B,H_kv,T,K]
  int64_t length = 0;
  at::Tensor first;  ///< [B]: the padding on the left of each row; undefined: none
};

struct RunOptions {
  KeyValueCache* cache = nullptr;  ///< read and extended when given
  int64_t first_block = 0;         ///< start at this block ...
  at::Tensor state;                ///< ... from this residual stream [B,T,D]; needed when first_block > 0
};

/// What one run gave.
struct Run {
  Output output;
  std::shared_ptr<Recording> recording;

  const at::Tensor& value(const std::string& site) const { return recording->value(site); }
};

class Model {
 public:
  Model() = default;
  Model(std::shared_ptr<const Architecture> architecture, Parameters parameters);

  const Architecture& architecture() const { return *architecture_; }
  const Parameters& parameters() const { return parameters_; }
  Parameters& parameters() {
    head_memory_.reset();  // they may be changed
    return parameters_;
  }
  Model with(Parameters parameters) const { return Model(architecture_, std::move(parameters)); }
  /// The same model with a memory of at most so many bytes for what its head says (head_memory.h): for several walks
  /// over the same batches. Runs with taps or a cache neither use it nor fill it.
  Model remembering_heads(int64_t bytes) const;
  /// Frees what is remembered and remembers no more, when no further walk over the same batches is to come.
  void forget_heads() const;
  /// What values between layers, gradients and sums are made of: float32 for a model of bf16.
  at::ScalarType dtype() const;
  /// What its matrices are kept in, and what products with them and of their gradients are made of.
  at::ScalarType matrix_dtype() const;

  /// One forward pass with `taps`. Throws Error(Usage) with near matches for an unknown site.
  Run run(const data::Batch& batch, const Taps& taps = {}, const RunOptions& options = {}) const;

 private:
  std::shared_ptr<const Architecture> architecture_;
  Parameters parameters_;
  std::shared_ptr<HeadMemory> head_memory_;
};

/// "fp32", "fp64" or "bf16": what its matrices are kept in, as results say it.
const char* precision_name(const Model& model);
/// Where a plan counts products with the model's matrices.
double& products_of(const Model& model, Cost& cost);

/// A model with fresh weights, drawn from Philox keyed (seed, parameter name, index): the same on every machine.
/// `dtype`: of the matrices. Error(Resource) where they do not fit the memory that is free.
Model initialize(std::shared_ptr<const Architecture> architecture, uint64_t seed, at::ScalarType dtype = at::kFloat);

}  // namespace assay::nn
