// Learning rates: a pure function of the step, so that a resumed run and a method that replays training (Source) read
// the same rate as the run itself. Warm-up rises linearly and reaches `rate` at its last step; decay follows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace assay::train {

struct Schedule {
  /// Constant: rate. Linear, Cosine: from rate down to rate · final_fraction. Drop: rate, then rate · final_fraction.
  enum class Kind { Constant, Linear, Cosine, Drop };

  Kind kind = Kind::Cosine;
  double rate = 1e-3;         ///< the highest learning rate
  int64_t warmup_steps = 0;   ///< W: step k < W has rate · (k + 1) / W
  double final_fraction = 0;  ///< in [0, 1]
  double drop_at = 0.7;       ///< Drop: the fraction of all steps after which the rate falls
};

/// The rate of step k, 0 <= k < total. After warm-up the decay's progress is (k - W) / (total - W): its first step has
/// the full rate, and the final fraction is what the step after the last one would have.
double rate_at(const Schedule& schedule, int64_t step, int64_t total);

/// "constant", "linear", "cosine", "drop".
const char* to_string(Schedule::Kind kind);
/// Throws Error(Usage) with the nearest names.
Schedule::Kind schedule_named(std::string_view name);

}  // namespace assay::train
