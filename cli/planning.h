// What a run will cost, said before it starts, and what it did cost, said in its result.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "assay/core/plan.h"
#include "cli/commands.h"

namespace assay::cli {

/// With --plan: prints the plan (a table, or JSON with --json) and returns true: the command stops there; a plan whose
/// memory exceeds --memory says that the run would be refused. Without: notes plans of more than ten minutes, with
/// `advice` on how to make them shorter ("--limit 500 makes it shorter"), and returns false; throws Error(Resource)
/// where the plan's memory exceeds --memory.
bool stops_at_plan(const Session& session, const Plan& plan, const std::string& advice);
/// The same for a command of one short stage, which measures the machine's ceilings only when it is asked for a plan.
bool stops_at_plan(const Session& session, const std::string& stage, const Cost& cost);

/// Whether it is a plan of more than ten minutes.
bool is_long(const Plan& plan);

/// What makes a plan over this many documents last ten minutes: "--limit 500 would take about ten minutes". Time grows
/// with the documents; a share that does not (eigendecompositions) makes the number a little too large.
std::string shorter_by_limit(const Plan& plan, int64_t documents);

/// {"planned": {seconds, peak_bytes, disk_bytes, stages}, "actual": those of actual_cost}.
nlohmann::ordered_json cost_report(const Plan& plan, double seconds, std::optional<int64_t> disk_bytes = {});

/// {seconds, peak_bytes, disk_bytes}: the run's time, the most that the process held, what lies in its folder (left out
/// where it is not known).
nlohmann::ordered_json actual_cost(double seconds, std::optional<int64_t> disk_bytes);

/// The folder of --cache, or the default one: where measured speeds and fitted factors lie.
std::string cache_folder(const std::string& given);

}  // namespace assay::cli
