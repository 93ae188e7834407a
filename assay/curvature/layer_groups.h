// Cuts the tracked layers into groups whose statistics fit a memory budget together. Each group costs a walk over the
// data of its own, so groups are as large as the budget allows, and layers that share an input stay together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "assay/curvature/layer_shape.h"

namespace assay::curvature {

enum class Statistics {
  Covariances,     ///< A and S
  RotatedMoments,  ///< Q_A, Q_S and Λ
  Moments,         ///< Λ alone
};

/// Bytes that the statistics of these layers hold at once, shared inputs counted once.
int64_t statistics_bytes(Statistics statistics, const nn::Architecture& architecture,
                         std::span<const nn::LayerId> layers, at::ScalarType dtype);

/// The layers in order, cut greedily. A layer that exceeds the budget alone makes a group alone.
std::vector<std::vector<nn::LayerId>> layer_groups(Statistics statistics, const nn::Architecture& architecture,
                                                   std::span<const nn::LayerId> layers, at::ScalarType dtype,
                                                   int64_t budget_bytes);

}  // namespace assay::curvature
