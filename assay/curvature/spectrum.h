// Eigenvalues of a curvature beside its damping: in a direction whose eigenvalue is far above the damping the curvature
// decides how much a gradient counts, far below it the damping alone does. A histogram of log10(Λ/λ) over all
// directions of all layers, counted exactly; one pass over the eigenvalues.
#pragma once

#include <array>
#include <optional>

#include "assay/curvature/curvature.h"

namespace assay::curvature {

struct Spectrum {
  static constexpr size_t kBins = 24;
  static constexpr double kLow = -6, kStep = 0.5;  ///< decades; the first and last bin hold what lies beyond, too

  std::array<int64_t, kBins> directions{};  ///< with Λ > 0, by log10(Λ/λ)
  int64_t without_curvature = 0;            ///< Λ = 0
  int64_t below_damping = 0;                ///< Λ < λ, those without curvature included
  int64_t total = 0;
};

/// Nothing where a layer is not damped: there is nothing to compare with.
std::optional<Spectrum> spectrum_of(const Curvature& curvature, const Damping& damping);

}  // namespace assay::curvature
