#include "cli/planning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/kernel/ceilings.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

constexpr double kLongPlanSeconds = 600;

ordered_json plan_json(const Plan& plan) {
  ordered_json stages = ordered_json::array();
  for (const PlannedStage& stage : plan.stages()) {
    stages.push_back({{"stage", stage.name},
                      {"seconds", stage.seconds},
                      {"peak_bytes", stage.cost.peak_bytes},
                      {"disk_bytes", stage.cost.disk_bytes}});
  }
  return {{"seconds", plan.total_seconds()},
          {"peak_bytes", plan.peak_bytes()},
          {"disk_bytes", plan.disk_bytes()},
          {"stages", stages}};
}

bool exceeds_granted(const CommonOptions& common, int64_t peak_bytes) {
  return common.memory_bytes > 0 && peak_bytes > common.memory_bytes;
}

/// What does not fit --memory is refused before it begins; what may not fit the machine is said.
void check_memory(const Session& session, int64_t peak_bytes) {
  const CommonOptions& common = session.invocation.common();
  if (exceeds_granted(common, peak_bytes)) {
    throw Error(ErrorKind::Resource,
                fmt::format("planning this run: it must fit into --memory, {}, but it would hold about {} at its worst "
                            "moment; give more, or a smaller model or shorter texts",
                            format_bytes(common.memory_bytes), format_bytes(peak_bytes)));
  }
  const int64_t available = available_memory_bytes();
  if (common.memory_bytes == 0 && peak_bytes > available) {
    session.progress.note(fmt::format("This would hold about {}, but {} are free; --plan shows where.",
                                      format_bytes(peak_bytes), format_bytes(available)));
  }
}

void print_plan(const Session& session, const Plan& plan) {
  const CommonOptions& common = session.invocation.common();
  const bool is_refused = exceeds_granted(common, plan.peak_bytes());
  if (common.json) {
    ordered_json result = result_head(session.invocation);
    result["plan"] = plan_json(plan);
    result["plan"]["exceeds_memory"] = is_refused;
    return print_json(result);
  }
  std::string text = plan.table();
  if (is_refused) {
    text += fmt::format("\nThe run would be refused: it must fit into --memory, {}, but it would hold about {}.\n",
                        format_bytes(common.memory_bytes), format_bytes(plan.peak_bytes()));
  }
  std::fputs(text.c_str(), stdout);
}

}  // namespace

bool is_long(const Plan& plan) {
  return plan.total_seconds() > kLongPlanSeconds;
}

bool stops_at_plan(const Session& session, const Plan& plan, const std::string& advice) {
  if (session.invocation.common().plan) {
    print_plan(session, plan);
    return true;
  }
  check_memory(session, plan.peak_bytes());
  if (is_long(plan)) {
    session.progress.note(fmt::format("This will take about {}. {}; --plan shows where the time goes.",
                                      format_seconds(plan.total_seconds()), advice));
  }
  return false;
}

bool stops_at_plan(const Session& session, const std::string& stage, const Cost& cost) {
  if (!session.invocation.common().plan) {
    check_memory(session, cost.peak_bytes);
    return false;
  }
  Plan plan(kernel::machine_ceilings(cache_folder("")));
  plan.add(stage, cost);
  return stops_at_plan(session, plan, "");
}

std::string shorter_by_limit(const Plan& plan, int64_t documents) {
  const double share = std::min(1.0, kLongPlanSeconds / plan.total_seconds());
  const auto limit = std::max<int64_t>(1, static_cast<int64_t>(share * static_cast<double>(documents)));
  return fmt::format("--limit {} would take about ten minutes", limit);
}

ordered_json actual_cost(double seconds, std::optional<int64_t> disk_bytes) {
  ordered_json actual{{"seconds", seconds}, {"peak_bytes", peak_resident_bytes()}};
  if (disk_bytes) actual["disk_bytes"] = *disk_bytes;
  return actual;
}

ordered_json cost_report(const Plan& plan, double seconds, std::optional<int64_t> disk_bytes) {
  return {{"planned", plan_json(plan)}, {"actual", actual_cost(seconds, disk_bytes)}};
}

std::string cache_folder(const std::string& given) {
  return given.empty() ? default_cache_folder() : given;
}

}  // namespace assay::cli
