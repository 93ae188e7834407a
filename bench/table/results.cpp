#include "bench/table/results.h"

#include <algorithm>
#include <limits>

#include "assay/core/version.h"

namespace assay::bench {
namespace {

using nlohmann::json;

double best_of(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::ranges::min_element(values);
}

json or_null(const std::optional<double>& value) {
  return value ? json(*value) : json();
}

}  // namespace

double Turns::ratio() const {
  return ours.empty() || theirs.empty() ? std::numeric_limits<double>::quiet_NaN() : best_of(theirs) / best_of(ours);
}

double Duel::most() const {
  double floor = std::numeric_limits<double>::infinity();
  for (const Ceilings& each : ceilings) floor = std::min(floor, seconds(counted, each));
  return best_of(stages.back().theirs) / floor;
}

const Row* Results::find(const std::string& workload, const std::string& dtype, const std::string& stage) const {
  for (const Row& row : rows) {
    if (row.workload == workload && row.dtype == dtype && row.stage == stage) return &row;
  }
  return nullptr;
}

std::optional<double> Results::ratio_to_bare(const Row& row) const {
  std::optional<double> bare;
  for (const Row& each : rows) {
    if (each.workload != row.workload || each.dtype != "fp32" || !each.stage.starts_with("bare")) continue;
    bare = std::min(bare.value_or(std::numeric_limits<double>::infinity()), each.best() / each.tokens);
  }
  if (!bare || row.tokens == 0) return std::nullopt;
  return row.best() / row.tokens / *bare;
}

std::optional<double> Results::ratio_to_floor(const Row& row) const {
  const double floor = seconds(row.counted, ceilings);
  if (!(floor > 0)) return std::nullopt;
  return row.best() / floor;
}

const Duel* Results::duel(const std::string& workload, const std::string& title) const {
  for (const Duel& each : duels) {
    if (each.workload == workload && each.title() == title) return &each;
  }
  return nullptr;
}

json to_json(const Results& results) {
  json all{{"version", version()},
           {"machine", results.machine},
           {"threads", results.threads},
           {"quick", results.is_quick},
           {"ceilings",
            {{"flops_per_second_fp32", results.ceilings.flops_per_second_fp32},
             {"flops_per_second_bf16", results.ceilings.flops_per_second_bf16},
             {"bytes_per_second", results.ceilings.bytes_per_second}}},
           {"left_out", results.left_out},
           {"lds", results.lds}};
  for (const Row& row : results.rows) {
    json each = to_json(row);
    each["best"] = row.best();
    each["tokens_per_second"] = row.tokens > 0 ? json(row.tokens / row.best()) : json();
    each["ratio_to_bare"] = or_null(results.ratio_to_bare(row));
    each["ratio_to_floor"] = or_null(results.ratio_to_floor(row));
    all["rows"].push_back(each);
  }
  for (const Agreement& each : results.agreements)
    all["agreement"].push_back(
        {{"workload", each.workload}, {"variant", each.variant}, {"spearman", each.spearman}, {"top_10", each.top}});
  for (const Duel& duel : results.duels) {
    json stages = json::array();
    for (const Turns& each : duel.stages)
      stages.push_back({{"stage", each.stage},
                        {"assay_seconds", each.ours},
                        {"peer_seconds", each.theirs},
                        {"ratio", each.ratio()},
                        {"assay_peak_bytes", each.our_peak},
                        {"peer_peak_bytes", each.their_peak},
                        {"other_load", each.other_load}});
    all["peers"].push_back({{"workload", duel.workload},
                            {"peer", duel.peer},
                            {"setting", duel.setting},
                            {"assay_dtype", duel.our_dtype},
                            {"most_times", duel.most()},
                            {"stages", stages}});
  }
  for (const Row& row : results.store)
    all["store"].push_back({{"stage", row.stage}, {"seconds", row.best()}, {"share", results.shares.at(row.stage)}});
  return all;
}

}  // namespace assay::bench
