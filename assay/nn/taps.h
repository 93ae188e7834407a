// Taps: what is done at sites and layers during one run. They belong to the run, never to the model: a model stays
// const, two runs cannot disturb each other, and a site without a tap costs nothing.
//
//   auto run = model.run(batch, Taps{}.record("blocks.3.hook_resid_post").add("blocks.5.hook_resid_pre", vector));
//
// At one site the taps act in the order in which they were given; a record sees the value after earlier taps. Sites are
// TransformerLens names and may hold * (any characters). Cutting edges and routing gradients are further kinds of Tap.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "assay/nn/factored_gradient.h"

namespace assay::nn {

/// What a run recorded. Gradients arrive when the caller differentiates a result of the run.
struct Recording {
  std::map<std::string, at::Tensor> values;     ///< by site
  std::map<std::string, at::Tensor> gradients;  ///< by site

  const at::Tensor& value(const std::string& site) const;     ///< throws Error(Usage) if it was not recorded
  const at::Tensor& gradient(const std::string& site) const;  ///< throws if not recorded or not differentiated yet
};

/// A new value from the old one and what the run has recorded so far; same shape and dtype.
using EditFunction = std::function<at::Tensor(const at::Tensor& value, const Recording& so_far)>;

struct Tap {
  enum class Kind { Record, RecordGradient, Replace, Add, Edit };
  Kind kind;
  std::string site;           ///< name or pattern
  at::Tensor value;           ///< Replace, Add: broadcast against the rows' value
  std::vector<int64_t> rows;  ///< Replace, Add: rows of the batch; empty means all
  EditFunction edit;
};

class Taps {
 public:
  Taps& record(std::string site);
  Taps& record_gradient(std::string site);
  Taps& replace(std::string site, at::Tensor value, std::vector<int64_t> rows = {});
  Taps& add(std::string site, at::Tensor value, std::vector<int64_t> rows = {});
  Taps& edit(std::string site, EditFunction function);
  /// Hands the pair (input, output gradient) of each of `layers` to `sink` as the backward pass reaches the layer.
  /// Weight gradients are not computed, and nothing of a layer is kept afterwards. A layer called several times in one
  /// run is handed over once, its calls joined along the positions (their gradients add up).
  Taps& capture(std::vector<LayerId> layers, GradientSink sink);

  bool empty() const { return taps_.empty() && captured_.empty(); }
  const std::vector<Tap>& taps() const { return taps_; }
  const std::vector<LayerId>& captured() const { return captured_; }
  const GradientSink& sink() const { return sink_; }

 private:
  std::vector<Tap> taps_;
  std::vector<LayerId> captured_;
  GradientSink sink_;
};

}  // namespace assay::nn
