// The two kinds of walk that fits are made of.
#pragma once

#include <map>

#include "assay/curvature/fit.h"

namespace assay::curvature {

/// Seeds of the two walks' pseudo-labels: independent draws, so that Λ is not measured on the labels that chose its
/// basis.
uint64_t covariance_seed(uint64_t seed);
uint64_t moment_seed(uint64_t seed);

/// The block of a layer's mean squares. `kind`: "ekfac" or "diagonal".
std::string moments_block(const FitRequest& request, const std::string& kind, nn::LayerId layer);

/// Mean squares in the bases of `blocks` (second_moments.h), by layer. `kind` ("ekfac", "diagonal") names the blocks
/// kept.
std::map<nn::LayerId, at::Tensor> fit_moments(const FitRequest& request,
                                              const std::map<nn::LayerId, FactoredBlock>& bases,
                                              const std::string& kind, Workspace& workspace, Progress& progress);

}  // namespace assay::curvature
