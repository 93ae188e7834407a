#include "assay/curvature/spectrum.h"

#include <ATen/ops/histc.h>

#include <algorithm>

#include "assay/core/twin.h"

namespace assay::curvature {
namespace {

constexpr int64_t kPiece = 1 << 22;  // counts of a float32 histogram are exact below 2^24

void count(const at::Tensor& ratios, Spectrum& spectrum) {  // [n]
  const at::Tensor positive = ratios.masked_select(ratios.gt(0));
  spectrum.total += ratios.numel();
  spectrum.without_curvature += ratios.numel() - positive.numel();
  spectrum.below_damping += ratios.lt(1).sum().item<int64_t>();
  if (positive.numel() == 0) return;
  constexpr double kHigh = Spectrum::kLow + Spectrum::kStep * Spectrum::kBins;
  // The topmost value is kept inside the half-open range.
  const at::Tensor decades = positive.log10().clamp(Spectrum::kLow, kHigh - Spectrum::kStep / 2);
  const at::Tensor counts = at::histc(decades, Spectrum::kBins, Spectrum::kLow, kHigh).to(at::kLong).contiguous();
  for (size_t bin = 0; bin < spectrum.directions.size(); ++bin)
    spectrum.directions[bin] += counts.const_data_ptr<int64_t>()[bin];
}

}  // namespace

std::optional<Spectrum> spectrum_of(const Curvature& curvature, const Damping& damping) {
  Spectrum spectrum;
  for (const nn::LayerId layer : curvature.layers()) {
    const at::Tensor values = curvature.eigenvalues(layer).flatten();
    const double added = damping.in_layer(curvature.mean_eigenvalue(layer));
    if (added <= 0) return std::nullopt;
    for (const at::Tensor& piece : values.split(kPiece))
      count(ASSAY_TWIN("curvature.spectrum_upside_down") ? piece.reciprocal().mul(added) : piece.div(added), spectrum);
  }
  return spectrum;
}

}  // namespace assay::curvature
