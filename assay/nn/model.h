// A Model: an architecture and its parameters. A value: copying shares the weights, running never changes it.
#pragma once

#include <memory>
#include <string>

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
  Parameters& parameters() { return parameters_; }
  Model with(Parameters parameters) const { return Model(architecture_, std::move(parameters)); }
  at::ScalarType dtype() const;

  /// One forward pass with `taps`. Throws Error(Usage) with near matches for an unknown site.
  Run run(const data::Batch& batch, const Taps& taps = {}, const RunOptions& options = {}) const;

 private:
  std::shared_ptr<const Architecture> architecture_;
  Parameters parameters_;
};

/// A model with fresh weights, drawn from Philox keyed (seed, parameter name, index): the same on every machine.
/// Error(Resource) where they do not fit the memory that is free.
Model initialize(std::shared_ptr<const Architecture> architecture, uint64_t seed, at::ScalarType dtype = at::kFloat);

}  // namespace assay::nn
