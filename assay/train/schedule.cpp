#include "assay/train/schedule.h"

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/twin.h"

namespace assay::train {
namespace {

constexpr std::array kKinds = {Schedule::Kind::Constant, Schedule::Kind::Linear, Schedule::Kind::Cosine,
                               Schedule::Kind::Drop};

double decayed(const Schedule& schedule, double remaining) {
  return schedule.rate * (schedule.final_fraction + (1 - schedule.final_fraction) * remaining);
}

}  // namespace

double rate_at(const Schedule& schedule, int64_t step, int64_t total) {
  ASSAY_ASSERT(0 <= step && step < total);
  const int64_t warmup = schedule.warmup_steps;
  if (step < warmup) {
    const int64_t risen = ASSAY_TWIN("train.warmup_starts_at_zero") ? step : step + 1;
    return schedule.rate * static_cast<double>(risen) / static_cast<double>(warmup);
  }
  const double progress = static_cast<double>(step - warmup) / static_cast<double>(total - warmup);
  switch (schedule.kind) {
    case Schedule::Kind::Constant: return schedule.rate;
    case Schedule::Kind::Linear: return decayed(schedule, 1 - progress);
    case Schedule::Kind::Cosine: return decayed(schedule, 0.5 * (1 + std::cos(std::numbers::pi * progress)));
    case Schedule::Kind::Drop: {
      const bool has_dropped = static_cast<double>(step) >= schedule.drop_at * static_cast<double>(total);
      return decayed(schedule, has_dropped ? 0 : 1);
    }
  }
  ASSAY_ASSERT(false);
}

const char* to_string(Schedule::Kind kind) {
  switch (kind) {
    case Schedule::Kind::Constant: return "constant";
    case Schedule::Kind::Linear: return "linear";
    case Schedule::Kind::Cosine: return "cosine";
    case Schedule::Kind::Drop: return "drop";
  }
  ASSAY_ASSERT(false);
}

Schedule::Kind schedule_named(std::string_view name) {
  std::vector<std::string> known;
  for (const Schedule::Kind kind : kKinds) {
    if (name == to_string(kind)) return kind;
    known.emplace_back(to_string(kind));
  }
  throw Error(ErrorKind::Usage, "choosing a schedule: it must be constant, linear, cosine or drop, but it is \"" +
                                    std::string(name) + "\"" + closest_clause(name, known));
}

}  // namespace assay::train
