#include "assay/train/step_search.h"

#include <cmath>
#include <limits>
#include <optional>

#include "assay/core/error.h"

namespace assay::train {
namespace {

/// slope · s - bend · s² through an evaluation.
struct Parabola {
  double slope, bend;

  /// The first step at which it has risen by `target`; nothing if it turns before.
  std::optional<double> reaches(double target) const {
    const double discriminant = slope * slope - 4 * bend * target;
    if (discriminant < 0) return std::nullopt;
    return 2 * target / (slope + std::sqrt(discriminant));
  }
  bool has_turned_at(double step) const { return slope < 2 * bend * step; }
};

}  // namespace

StepSearchResult search_step(const std::function<double(double)>& rise, double slope,
                             const StepSearchOptions& options) {
  ASSAY_ASSERT(slope > 0 && options.target > 0 && options.max_evaluations >= 1);
  const double target = options.target;
  double low = 0, high = std::numeric_limits<double>::infinity();  // the step looked for lies between
  double step = target / slope;
  StepSearchResult best;
  double nearest = std::numeric_limits<double>::infinity();
  for (int evaluation = 1; evaluation <= options.max_evaluations; ++evaluation) {
    const double value = rise(step);
    best.evaluations = evaluation;
    const double distance = std::abs(value - target);
    if (distance < nearest) {
      nearest = distance;
      best.step = step;
      best.rise = value;
    }
    if (distance <= options.tolerance * target) {
      best.reached = true;
      return best;
    }
    if (!std::isfinite(value)) {
      high = step;
      step = 0.5 * (low + high);
      continue;
    }
    const Parabola parabola{slope, (slope * step - value) / (step * step)};
    const bool is_too_far = value > target || parabola.has_turned_at(step);
    (is_too_far ? high : low) = step;
    const bool is_bracketed = std::isfinite(high);
    const std::optional<double> guess = parabola.reaches(target);
    if (guess && *guess > low && *guess < (is_bracketed ? high : 8 * low)) {
      step = *guess;
    } else {
      step = is_bracketed ? 0.5 * (low + high) : 2 * low;
    }
  }
  return best;
}

}  // namespace assay::train
