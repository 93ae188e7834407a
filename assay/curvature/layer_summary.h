// What the factors of a layer look like, in numbers and in sentences: too few examples leave directions without
// curvature, where the damping alone decides a score.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "assay/curvature/damping.h"
#include "assay/curvature/eigenbasis.h"

namespace assay::curvature {

struct LayerSummary {
  std::string name;
  int64_t inputs = 0, input_rank = 0;    ///< M and rank(A)
  int64_t outputs = 0, output_rank = 0;  ///< O and rank(S)
  double input_stable_rank = 0;          ///< ‖A‖²_F / ‖A‖²₂
  double output_stable_rank = 0;
};

/// `kept_in`: the type in which the covariances were summed.
std::vector<LayerSummary> summarize(const nn::Architecture& architecture,
                                    const std::map<nn::LayerId, LayerBasis>& bases, at::ScalarType kept_in);

/// How many of its directions a layer's curvature knows.
struct LayerRank {
  std::string name;
  int64_t rank = 0, dimensions = 0;
  double stable_rank = 0;  ///< 0: not known
};

/// What happens where no document has been, without any damping.
enum class Undamped {
  Divides,    ///< by what rounding left of the eigenvalues
  LeavesOut,  ///< those directions, as a pseudo-inverse does
};

/// Whole sentences for a report; none where every layer has full rank. `what`: "input covariance"; `scored_in`: the
/// type of the products.
std::vector<std::string> rank_warnings(const std::string& what, const std::vector<LayerRank>& layers,
                                       const Damping& damping, at::ScalarType scored_in,
                                       Undamped undamped = Undamped::Divides);
/// Of the input covariances.
std::vector<std::string> rank_warnings(const std::vector<LayerSummary>& layers, const Damping& damping,
                                       at::ScalarType scored_in);

}  // namespace assay::curvature
