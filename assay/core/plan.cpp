#include "assay/core/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/log.h"
#include "assay/core/machine.h"

namespace assay {
namespace {

constexpr const char* kCeilingsFile = "ceilings.json";

/// The same processor on other threads is another machine; another version may multiply differently.
std::string machine_key(int threads) {
  return fmt::format("{} | {} threads | {}", processor().model, threads, ASSAY_TORCH_VERSION);
}

double divided(double work, double speed) {
  return work > 0 ? work / speed : 0;
}

nlohmann::json read_ceilings_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto is_shallow = [](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) { return depth < 8; };
  nlohmann::json all = nlohmann::json::parse(text, is_shallow, false);
  return all.is_object() ? all : nlohmann::json::object();  // absent or damaged: measured again
}

}  // namespace

Cost& Cost::operator+=(const Cost& other) {
  flops += other.flops;
  flops_fp64 += other.flops_fp64;
  flops_bf16 += other.flops_bf16;
  bytes_moved += other.bytes_moved;
  operator_calls += other.operator_calls;
  measured_seconds += other.measured_seconds;
  peak_bytes = std::max(peak_bytes, other.peak_bytes);
  disk_bytes += other.disk_bytes;
  return *this;
}

double seconds(const Cost& cost, const Ceilings& ceilings) {
  return divided(cost.flops + 2 * cost.flops_fp64, ceilings.flops_per_second_fp32) +
         divided(cost.flops_bf16, ceilings.flops_per_second_bf16) +
         divided(cost.bytes_moved, ceilings.bytes_per_second) +
         cost.operator_calls * ceilings.seconds_per_operator_call + cost.measured_seconds;
}

Plan& Plan::add(std::string_view stage, const Cost& cost) {
  stages_.push_back({std::string(stage), cost, assay::seconds(cost, ceilings_)});
  return *this;
}

double Plan::total_seconds() const {
  double total = 0;
  for (const PlannedStage& stage : stages_) total += stage.seconds;
  return total;
}

int64_t Plan::peak_bytes() const {
  int64_t peak = 0;
  for (const PlannedStage& stage : stages_) peak = std::max(peak, stage.cost.peak_bytes);
  return peak;
}

int64_t Plan::disk_bytes() const {
  int64_t total = 0;
  for (const PlannedStage& stage : stages_) total += stage.cost.disk_bytes;
  return total;
}

std::string Plan::table() const {
  const auto row = [](std::string_view name, const std::string& time, const std::string& memory,
                      const std::string& disk) {
    return fmt::format("  {:<24}{:>14}{:>12}{:>12}\n", name, time, memory, disk);
  };
  const auto disk_text = [](int64_t bytes) { return bytes == 0 ? std::string("-") : format_bytes(bytes); };
  std::string out = row("stage", "time", "memory", "disk");
  for (const PlannedStage& stage : stages_) {
    out += row(stage.name, format_seconds(stage.seconds), format_bytes(stage.cost.peak_bytes),
               disk_text(stage.cost.disk_bytes));
  }
  return out + row("all", format_seconds(total_seconds()), format_bytes(peak_bytes()), disk_text(disk_bytes()));
}

std::optional<Ceilings> cached_ceilings(const std::string& cache_folder, int threads) {
  const nlohmann::json all = read_ceilings_file(cache_folder + "/" + kCeilingsFile);
  const auto found = all.find(machine_key(threads));
  if (found == all.end() || !found->is_object()) return std::nullopt;
  const auto positive = [&found](const char* key) {
    const auto value = found->find(key);
    return value != found->end() && value->is_number() && value->get<double>() > 0 ? value->get<double>() : 0.0;
  };
  const Ceilings ceilings{positive("flops_per_second_fp32"), positive("flops_per_second_bf16"),
                          positive("bytes_per_second"), positive("seconds_per_operator_call")};
  const bool is_whole = ceilings.flops_per_second_fp32 > 0 && ceilings.flops_per_second_bf16 > 0 &&
                        ceilings.bytes_per_second > 0 && ceilings.seconds_per_operator_call > 0;
  return is_whole ? std::optional(ceilings) : std::nullopt;
}

void keep_ceilings(const std::string& cache_folder, int threads, const Ceilings& measured) {
  const std::string path = cache_folder + "/" + kCeilingsFile;
  const Ceilings before = cached_ceilings(cache_folder, threads).value_or(Ceilings{});
  const double before_call =
      before.seconds_per_operator_call > 0 ? before.seconds_per_operator_call : measured.seconds_per_operator_call;
  nlohmann::json all = read_ceilings_file(path);
  all[machine_key(threads)] = {
      {"flops_per_second_fp32", std::max(before.flops_per_second_fp32, measured.flops_per_second_fp32)},
      {"flops_per_second_bf16", std::max(before.flops_per_second_bf16, measured.flops_per_second_bf16)},
      {"bytes_per_second", std::max(before.bytes_per_second, measured.bytes_per_second)},
      {"seconds_per_operator_call", std::min(before_call, measured.seconds_per_operator_call)}};
  try {
    create_cache(cache_folder);
    const std::string temporary = path + ".tmp";
    std::ofstream(temporary) << all.dump(2) << '\n';
    std::filesystem::rename(temporary, path);
  } catch (const std::exception& error) {
    log(LogLevel::Warning, fmt::format("the ceilings were measured but not kept: {}", error.what()));
  }
}

std::string format_bytes(int64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return unit > 0 && value < 9.95 ? fmt::format("{:.1f} {}", value, kUnits[unit])
                                  : fmt::format("{:.0f} {}", value, kUnits[unit]);
}

std::string format_seconds(double seconds) {
  if (seconds < 0.0995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string format_count(int64_t count) {
  std::string digits = std::to_string(count);
  const int64_t first = count < 0 ? 1 : 0;
  for (int64_t place = static_cast<int64_t>(digits.size()) - 3; place > first; place -= 3) {
    digits.insert(static_cast<size_t>(place), ",");
  }
  return digits;
}

std::string format_counted(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

int64_t parse_bytes(std::string_view text, std::string_view what) {
  static constexpr std::array<std::pair<std::string_view, double>, 13> kUnits{{{"", 1.0},
                                                                               {"B", 1.0},
                                                                               {"kB", 1e3},
                                                                               {"KB", 1e3},
                                                                               {"K", 1e3},
                                                                               {"MB", 1e6},
                                                                               {"M", 1e6},
                                                                               {"GB", 1e9},
                                                                               {"G", 1e9},
                                                                               {"TB", 1e12},
                                                                               {"KiB", 0x1p10},
                                                                               {"MiB", 0x1p20},
                                                                               {"GiB", 0x1p30}}};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  const auto known =
      std::find_if(kUnits.begin(), kUnits.end(), [unit](const auto& each) { return each.first == unit; });
  const double bytes = known == kUnits.end() ? -1 : value * known->second;
  if (error != std::errc() || !(bytes >= 1) || bytes > 1e18) {
    throw Error(ErrorKind::Usage,
                fmt::format("reading {}: it must be a size such as 8GB, 500MB or 1.5GiB, but it is \"{}\"; correct it",
                            what, text));
  }
  return static_cast<int64_t>(bytes);
}

}  // namespace assay
