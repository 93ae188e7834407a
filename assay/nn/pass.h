// A Pass: one forward run as a family sees it. The family asks it for weights, sends every named value through site()
// and every tracked weight matrix through linear(); what the taps want happens there and nowhere else.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <vector>

#include "assay/data/batch.h"
#include "assay/nn/architecture.h"
#include "assay/nn/model.h"
#include "assay/nn/taps.h"

namespace assay::nn {

class Pass {
 public:
  Pass(const Architecture& architecture, const Parameters& parameters, const data::Batch& batch, const Taps& taps,
       const RunOptions& options, std::shared_ptr<Recording> recording);

  const data::Batch& batch() const { return batch_; }
  const RunOptions& options() const { return options_; }
  const at::Tensor& parameter(int64_t place) const { return parameters_[static_cast<size_t>(place)]; }
  /// The weight of a layer as [O,I], however it lies.
  at::Tensor weight(LayerId layer) const;
  /// Whether products have bf16 inputs, because the matrices are bf16; their results are float32.
  bool multiplies_in_bf16() const { return parameters_[0].scalar_type() == at::kBFloat16; }
  /// What values between layers are made of.
  at::ScalarType dtype() const { return multiplies_in_bf16() ? at::kFloat : parameters_[0].scalar_type(); }
  /// Rows of a matrix: an embedding. places int64 [..] → [.., D].
  at::Tensor rows(int64_t parameter, const at::Tensor& places) const;

  /// `value` after the taps of this site.
  at::Tensor site(SiteId id, at::Tensor value);
  /// Whether any tap asks for this site: values that exist only to be looked at are made only then.
  bool is_tapped(SiteId id) const { return !taps_by_site_.empty() && !taps_by_site_[static_cast<size_t>(id)].empty(); }
  /// Whether a tap at this site does more than record the value.
  bool is_changed(SiteId id) const;
  /// Throws Error(Usage) where the gradient of `layer` is captured, which this run does not apply as a whole.
  void refuse_capture(LayerId layer, const char* because) const;

  /// x Wᵀ + b: [B,T,I] → [B,T,O]. A captured layer hands its pair to the sink during the backward pass; where products
  /// have bf16 inputs the pair is what they multiplied, rounded once for all that read it.
  at::Tensor linear(LayerId layer, const at::Tensor& x);

 private:
  struct Capture;

  /// x in bf16, without history: made once for layers that read it one after the other.
  at::Tensor rounded(const at::Tensor& x);
  at::Tensor apply(const Tap& tap, const std::string& site, const at::Tensor& value);

  const Architecture& architecture_;
  const Parameters& parameters_;
  const data::Batch& batch_;
  const RunOptions& options_;
  std::shared_ptr<Recording> recording_;
  std::vector<std::vector<const Tap*>> taps_by_site_;  // empty when there are no taps
  std::vector<std::shared_ptr<Capture>> captures_;     // by layer; empty when nothing is captured
  at::Tensor last_, last_rounded_;
};

}  // namespace assay::nn
