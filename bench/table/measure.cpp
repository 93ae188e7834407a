#include "bench/table/measure.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "assay/core/machine.h"

namespace assay::bench {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

}  // namespace

double Row::best() const {
  return seconds.empty() ? 0 : *std::ranges::min_element(seconds);
}

std::optional<double> Row::share_of_ceiling() const {
  if (ceilings.empty() || ceilings.size() != seconds.size()) return std::nullopt;
  std::vector<double> shares;
  for (size_t run = 0; run < seconds.size(); ++run) shares.push_back(counted.flops / seconds[run] / ceilings[run]);
  const auto middle = shares.begin() + static_cast<std::ptrdiff_t>((shares.size() - 1) / 2);  // the lower of two
  std::ranges::nth_element(shares, middle);
  return *middle;
}

nlohmann::json to_json(const Row& row) {
  return {{"workload", row.workload},
          {"dtype", row.dtype},
          {"stage", row.stage},
          {"seconds", row.seconds},
          {"ceilings", row.ceilings},
          {"tokens", row.tokens},
          {"counted_flops_fp32", row.counted.flops},
          {"counted_flops_fp64", row.counted.flops_fp64},
          {"counted_flops_bf16", row.counted.flops_bf16},
          {"peak_bytes", row.peak_bytes},
          {"disk_bytes", row.disk_bytes},
          {"cpu_seconds", row.cpu_seconds},
          {"other_load", row.other_load}};
}

Row row_from(const nlohmann::json& json) {
  return {.workload = json.at("workload"),
          .dtype = json.at("dtype"),
          .stage = json.at("stage"),
          .seconds = json.at("seconds").get<std::vector<double>>(),
          .tokens = json.at("tokens"),
          .counted = {.flops = json.at("counted_flops_fp32"),
                      .flops_fp64 = json.at("counted_flops_fp64"),
                      .flops_bf16 = json.at("counted_flops_bf16")},
          .peak_bytes = json.at("peak_bytes"),
          .disk_bytes = json.at("disk_bytes"),
          .ceilings = json.at("ceilings").get<std::vector<double>>(),
          .cpu_seconds = json.at("cpu_seconds"),
          .other_load = json.at("other_load")};
}

Laps::Reading Laps::read() {
  Reading reading{.wall = std::chrono::steady_clock::now()};
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  reading.own_cpu = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  std::ifstream file("/proc/stat");
  std::string word;
  file >> word;
  double ticks = 0;
  for (int field = 0; field < 8 && file; ++field) {  // user nice system idle iowait irq softirq steal
    double value = 0;
    file >> value;
    if (field != 3 && field != 4) ticks += value;
  }
  reading.all_cpu = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  return reading;
}

Row& Laps::row_of(const std::string& stage) {
  for (Row& row : rows_) {
    if (row.stage == stage) return row;
  }
  return rows_.emplace_back(Row{.stage = stage});
}

void Laps::close() {
  if (open_.empty()) return;
  const Reading now = read();
  const double wall = std::chrono::duration<double>(now.wall - since_.wall).count();
  const double cpu = now.own_cpu - since_.own_cpu, other = now.all_cpu - since_.all_cpu - cpu;
  auto found = std::ranges::find(run_, open_, &std::pair<std::string, Run>::first);
  if (found == run_.end()) found = run_.insert(run_.end(), {open_, {}});
  found->second.seconds += wall;
  found->second.cpu += cpu;
  found->second.other_cpu += other;
  Row& row = row_of(open_);
  row.peak_bytes = std::max(row.peak_bytes, peak_resident_bytes());
  open_.clear();
}

void Laps::lap(const std::string& stage) {
  close();
  row_of(stage);
  open_ = stage;
  reset_peak_resident();
  since_ = read();
}

void Laps::stop() {
  close();
  for (const auto& [stage, run] : run_) {
    Row& row = row_of(stage);
    const bool is_fastest = row.seconds.empty() || run.seconds < row.best();
    if (is_fastest) {
      row.cpu_seconds = run.cpu;
      row.other_load = std::max(0.0, run.other_cpu / std::max(run.seconds, 1e-9));
    }
    row.seconds.push_back(run.seconds);
  }
  run_.clear();
}

void Laps::time(const std::string& stage, const std::function<void()>& work) {
  lap(stage);
  work();
  stop();
}

int64_t bytes_on_disk(const std::string& folder) {
  namespace fs = std::filesystem;
  int64_t bytes = 0;
  if (!fs::exists(folder)) return 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace assay::bench
