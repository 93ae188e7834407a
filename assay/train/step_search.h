// Finds the step along a direction at which a function has risen by a given amount, in few evaluations: the first guess
// is first-order, later ones solve the parabola through the slope at zero and the last evaluation, and bisection takes
// over where the parabola leaves the bracket.
#pragma once

#include <functional>

namespace assay::train {

struct StepSearchOptions {
  double target = 0.05;      ///< rise to aim at, > 0
  double tolerance = 0.02;   ///< relative, on the rise
  int max_evaluations = 12;  ///< >= 1
};

struct StepSearchResult {
  double step = 0;
  double rise = 0;       ///< at `step`
  bool reached = false;  ///< |rise - target| <= tolerance · target
  int evaluations = 0;
};

/// `rise(s)` with rise(0) = 0 and derivative `slope` > 0 there; a value that is not finite counts as too far. Where the
/// target is not reached, the result is the evaluated step whose rise came nearest to it.
StepSearchResult search_step(const std::function<double(double)>& rise, double slope, const StepSearchOptions& options);

}  // namespace assay::train
