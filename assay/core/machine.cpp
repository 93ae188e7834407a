#include "assay/core/machine.h"

#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

namespace assay {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

std::atomic<int64_t> lifted_peak{0};

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

/// A number from a one-line file; nothing for "max", for a missing file and for what does not parse.
std::optional<int64_t> number_in(const std::string& path) {
  const auto line = first_line(path);
  if (!line) return std::nullopt;
  std::istringstream stream(*line);
  int64_t value = 0;
  return stream >> value ? std::optional(value) : std::nullopt;
}

/// "MemTotal:       24684084 kB" in bytes.
std::optional<int64_t> field_kib(const std::string& path, const std::string& field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field + ":", 0) != 0) continue;
    std::istringstream stream(line.substr(field.size() + 1));
    int64_t kib = 0;
    if (stream >> kib) return kib * 1024;
  }
  return std::nullopt;
}

/// The folders whose limits bind this process: its own cgroup and each one above it. v2 has one tree for everything,
/// v1 one for each controller.
std::vector<std::string> cgroup_folders(const std::string& root, const std::string& controller) {
  const std::string mount = root + "/sys/fs/cgroup";
  std::vector<std::string> folders;
  const auto add_chain = [&folders](const std::string& base, std::string path) {
    while (!path.empty() && path != "/") {
      folders.push_back(base + path);
      path.resize(path.find_last_of('/'));
    }
    folders.push_back(base);
  };
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "0::/user.slice" (v2), "4:memory:/docker/1f" (v1)
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") add_chain(mount, path);
    if (controllers.find("," + controller + ",") != std::string::npos) {
      add_chain(mount + "/" + line.substr(first + 1, second - first - 1), path);  // mounted as "cpu,cpuacct"
    }
  }
  folders.push_back(mount);
  folders.push_back(mount + "/" + controller);
  return folders;
}

/// "inactive_file 4096" in the style of memory.stat; 0 where it is missing.
int64_t statistic(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string field;
  for (int64_t value = 0; file >> field >> value;) {
    if (field == name) return value;
  }
  return 0;
}

struct MemoryUse {
  int64_t limit;
  int64_t used;  ///< without file pages that the kernel would give back
};

/// The limit and use of each cgroup that has a limit.
std::vector<MemoryUse> cgroup_memory(const std::string& root) {
  std::vector<MemoryUse> found;
  for (const std::string& folder : cgroup_folders(root, "memory")) {
    if (const auto limit = number_in(folder + "/memory.max")) {
      const int64_t reclaimable = statistic(folder + "/memory.stat", "inactive_file");
      found.push_back({*limit, number_in(folder + "/memory.current").value_or(0) - reclaimable});
    } else if (const auto old_limit = number_in(folder + "/memory.limit_in_bytes")) {
      const int64_t reclaimable = statistic(folder + "/memory.stat", "total_inactive_file");
      found.push_back({*old_limit, number_in(folder + "/memory.usage_in_bytes").value_or(0) - reclaimable});
    }
  }
  return found;
}

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace

namespace detail {

double cgroup_cores(const std::string& root) {
  double cores = std::numeric_limits<double>::infinity();
  for (const std::string& folder : cgroup_folders(root, "cpu")) {
    int64_t quota = -1, period = 0;
    if (const auto line = first_line(folder + "/cpu.max")) {  // v2: "200000 100000", or "max 100000"
      std::istringstream stream(*line);
      if (!(stream >> quota >> period)) quota = -1;
    } else {
      quota = number_in(folder + "/cpu.cfs_quota_us").value_or(-1);
      period = number_in(folder + "/cpu.cfs_period_us").value_or(0);
    }
    if (quota > 0 && period > 0) cores = std::min(cores, static_cast<double>(quota) / static_cast<double>(period));
  }
  return cores;
}

int64_t cgroup_memory_bytes(const std::string& root) {
  int64_t bytes = kNoLimit;
  for (const MemoryUse& use : cgroup_memory(root)) bytes = std::min(bytes, use.limit);
  return bytes;
}

}  // namespace detail

Processor processor() {
  Processor found;
  found.cores_online = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (found.model.empty() && line.rfind("model name", 0) == 0) found.model = value;
    if (line.rfind("flags", 0) != 0) continue;
    const std::string flags = " " + value + " ";
    const auto has = [&flags](const char* flag) {
      return flags.find(std::string(" ") + flag + " ") != std::string::npos;
    };
    found.has_avx2 = has("avx2");
    found.has_avx512 = has("avx512f");
    found.has_avx512_bf16 = has("avx512_bf16");
    found.has_amx_bf16 = has("amx_bf16");
    break;
  }
  if (found.model.empty()) found.model = "unknown processor";
  return found;
}

int granted_cores() {
  const double quota = detail::cgroup_cores("");
  const int within = std::isinf(quota) ? std::numeric_limits<int>::max() : static_cast<int>(std::ceil(quota));
  return std::max(1, std::min({affinity_cores(), within, processor().cores_online}));
}

int64_t granted_memory_bytes() {
  const int64_t machine = field_kib("/proc/meminfo", "MemTotal").value_or(kNoLimit);
  return std::min(machine, detail::cgroup_memory_bytes(""));
}

int64_t available_memory_bytes() {
  int64_t bytes = field_kib("/proc/meminfo", "MemAvailable").value_or(kNoLimit);
  for (const MemoryUse& use : cgroup_memory("")) bytes = std::min(bytes, std::max<int64_t>(0, use.limit - use.used));
  return bytes;
}

int64_t resident_bytes() {
  return field_kib("/proc/self/status", "VmRSS").value_or(0);
}

int64_t resident_bytes_of(int process) {
  return field_kib("/proc/" + std::to_string(process) + "/status", "VmRSS").value_or(0);
}

int64_t peak_resident_bytes() {
  return std::max(field_kib("/proc/self/status", "VmHWM").value_or(0), lifted_peak.load());
}

void lift_peak_resident(int64_t bytes) {
  lifted_peak = std::max(lifted_peak.load(), bytes);
}

void reset_peak_resident() {
  lifted_peak = 0;
  std::ofstream("/proc/self/clear_refs") << "5";
}

void keep_freed_memory() {
  mallopt(M_MMAP_MAX, 0);  // large blocks of the main thread come from the heap, too
  mallopt(M_TRIM_THRESHOLD, -1);
}

void return_freed_memory() {
  malloc_trim(0);
}

}  // namespace assay
