// assay doctor: the machine as Assay sees it. Facts are collected first, then shown as a page or as JSON.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "assay/core/cache.h"
#include "assay/core/hash.h"
#include "assay/core/machine.h"
#include "assay/core/version.h"
#include "assay/data/parquet_rows.h"
#include "assay/kernel/bf16_product.h"
#include "assay/kernel/ceilings.h"
#include "cli/commands.h"
#include "cli/planning.h"
#include "cli/result.h"
#include "cli/result_folder.h"

namespace assay::cli {
namespace {

using nlohmann::ordered_json;

constexpr double kMeasuringSeconds = 2.0;
constexpr int64_t kMeasuringBytes = 300'000'000;  // one block of 192 MB, three matrices, work space

/// What is not there, and what that costs.
struct Missing {
  std::string what;
  std::string cost;
};

struct Findings {
  Processor processor;
  std::string capability;  ///< the instruction set that LibTorch chose
  int cores = 1, threads = 1;
  int64_t memory_granted = 0, memory_free = 0;
  std::string products, bf16_products, onednn;
  std::vector<std::string> openmp;  ///< files of the OpenMP runtimes in this process
  Ceilings ceilings;
  std::string cache;
  int64_t cache_bytes = 0;
  std::vector<Missing> missing;
};

/// The OpenMP runtimes that are mapped into this process, by file name.
std::vector<std::string> loaded_openmp() {
  std::set<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::string name = line.substr(line.find_last_of('/') + 1);
    if (line.find('/') != std::string::npos &&
        (name.find("gomp") != std::string::npos || name.find("omp5") != std::string::npos ||
         name.rfind("libomp", 0) == 0)) {
      found.insert(name);
    }
  }
  return {found.begin(), found.end()};
}

/// The value of "KEY=value," in the build settings of at::show_config.
std::string build_setting(const std::string& key) {
  const std::string config = at::show_config();
  const size_t place = config.find(key + "=");
  if (place == std::string::npos) return "unknown";
  const size_t begin = place + key.size() + 1;
  return config.substr(begin, config.find(',', begin) - begin);
}

/// "Intel(R) MKL-DNN v3.12.0 (Git Hash …)" → "3.12.0"; "… Version 2024.2-Product …" → "2024.2".
std::string version_in(const std::string& text) {
  const size_t begin =
      text.find_first_of("0123456789", text.find(" v") != std::string::npos ? text.find(" v") : text.find("Version"));
  if (begin == std::string::npos) return "unknown";
  return text.substr(begin, text.find_first_not_of("0123456789.", begin) - begin);
}

bool is_on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool is_writable_cache(const std::string& folder) {
  try {
    create_cache(folder);
  } catch (const std::exception&) {
    return false;
  }
  return access(folder.c_str(), W_OK) == 0;
}

std::vector<Missing> what_is_missing(const Findings& found) {
  std::vector<Missing> missing;
  const auto add = [&missing](const std::string& what, const std::string& cost) { missing.push_back({what, cost}); };
  if (!found.processor.has_avx2)
    add("AVX2", "matrix products run many times slower than on processors of the last ten years");
  if (found.ceilings.flops_per_second_bf16 < 1.5 * found.ceilings.flops_per_second_fp32) {
    add("fast bf16",
        "this processor multiplies bf16 hardly faster than float32: half-width storage saves memory, not time");
  }
  if (found.openmp.size() > 1) {
    add("one OpenMP", fmt::format("{} are loaded ({}): two pools of threads fight over the cores; start with one only",
                                  found.openmp.size(), fmt::join(found.openmp, ", ")));
  }
  if (found.threads < found.cores)
    add("all cores",
        fmt::format("--threads {} uses {} of {} granted cores", found.threads, found.threads, found.cores));
  if (found.threads > found.cores) {
    add("cores for all threads",
        fmt::format("--threads {} on {} granted cores: threads wait for each other", found.threads, found.cores));
  }
  if (found.memory_free < 4'000'000'000) {
    add("memory", fmt::format("{} are free: models of more than about {} million parameters will not fit",
                              format_bytes(found.memory_free), found.memory_free / 16'000'000));
  }
  if (!is_writable_cache(found.cache))
    add("a writable cache", "fitted factors are not kept: each run fits again; set ASSAY_CACHE");
  if (!is_on_path("chromium-headless-shell") && !is_on_path("chromium") && !is_on_path("chromium-browser") &&
      !is_on_path("google-chrome")) {
    add("a browser", "no pictures of reports (./dev shot), browser tests do not run; reports themselves need none");
  }
  if (data::arrow_version().empty()) {
    add("Parquet",
        "corpora in .parquet are refused: this build has no Arrow library (docs/corpora.md says how to get it)");
  }
  add("CUDA", "--device cuda is refused: this version computes on the processor only");
  return missing;
}

Findings examine(const DoctorOptions& options) {
  Findings found;
  found.processor = processor();
  found.capability = at::get_cpu_capability();
  found.cores = granted_cores();
  found.threads = at::get_num_threads();
  found.memory_granted = granted_memory_bytes();
  found.memory_free = available_memory_bytes();
  const std::string blas = build_setting("BLAS_INFO");
  found.products = blas == "mkl" ? "MKL " + version_in(at::get_mkl_version()) : blas;
  found.bf16_products = kernel::to_string(kernel::bf16_path());
  found.onednn = at::hasMKLDNN() ? version_in(at::get_mkldnn_version()) : "none";
  found.ceilings = kernel::measure_ceilings(kMeasuringSeconds);
  found.openmp = loaded_openmp();
  found.cache = cache_folder(options.cache);
  keep_ceilings(found.cache, found.threads, found.ceilings);
  found.cache_bytes = folder_bytes(found.cache);
  found.missing = what_is_missing(found);
  return found;
}

std::string features(const Processor& processor) {
  std::vector<std::string> names;
  if (processor.has_avx2) names.emplace_back("AVX2");
  if (processor.has_avx512) names.emplace_back("AVX-512");
  if (processor.has_avx512_bf16) names.emplace_back("AVX-512 BF16");
  if (processor.has_amx_bf16) names.emplace_back("AMX BF16");
  return names.empty() ? "none of AVX2, AVX-512, AMX" : fmt::format("{}", fmt::join(names, ", "));
}

ordered_json as_json(const Findings& found, const Invocation& invocation) {
  ordered_json result = result_head(invocation);
  result["processor_features"] = {{"avx2", found.processor.has_avx2},
                                  {"avx512", found.processor.has_avx512},
                                  {"avx512_bf16", found.processor.has_avx512_bf16},
                                  {"amx_bf16", found.processor.has_amx_bf16}};
  result["cores"] = {{"online", found.processor.cores_online}, {"granted", found.cores}};
  result["memory_bytes"] = {{"granted", found.memory_granted}, {"free", found.memory_free}};
  result["libraries"] = {{"products", found.products},       {"bf16_products", found.bf16_products},
                         {"onednn", found.onednn},           {"openmp", found.openmp},
                         {"instructions", found.capability}, {"arrow", data::arrow_version()}};
  result["ceilings"] = {{"flops_per_second_fp32", found.ceilings.flops_per_second_fp32},
                        {"flops_per_second_bf16", found.ceilings.flops_per_second_bf16},
                        {"bytes_per_second", found.ceilings.bytes_per_second},
                        {"seconds_per_operator_call", found.ceilings.seconds_per_operator_call}};
  result["cache"] = {{"folder", found.cache}, {"bytes", found.cache_bytes}};
  result["missing"] = ordered_json::array();
  for (const Missing& each : found.missing) result["missing"].push_back({{"what", each.what}, {"cost", each.cost}});
  return result;
}

/// Headings stand out on a terminal; NO_COLOR and pipes get plain text.
class Page {
 public:
  Page() {
    const char* no_color = std::getenv("NO_COLOR");
    is_styled_ = isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || no_color[0] == 0);
  }
  void heading(const std::string& text) { out_ += is_styled_ ? "\n\x1b[1m" + text + "\x1b[0m\n" : "\n" + text + "\n"; }
  void line(const std::string& name, const std::string& value) { out_ += fmt::format("  {:<18}{}\n", name, value); }
  void text(const std::string& text) { out_ += text; }
  const std::string& str() const { return out_; }

 private:
  bool is_styled_ = false;
  std::string out_;
};

std::string as_page(const Findings& found) {
  Page page;
  page.text(fmt::format("{}, LibTorch {}\n", version_line(), ASSAY_TORCH_VERSION));
  page.heading("Machine");
  page.line("processor", found.processor.model);
  page.line("features", features(found.processor));
  page.line("cores", fmt::format("{} granted of {}", found.cores, found.processor.cores_online));
  page.line("memory",
            fmt::format("{} free of {} granted", format_bytes(found.memory_free), format_bytes(found.memory_granted)));
  page.heading("Libraries");
  page.line("matrix products", found.products);
  page.line("oneDNN", found.onednn);
  page.line("OpenMP", fmt::format("{}", fmt::join(found.openmp, ", ")));
  page.line("instructions", found.capability);
  page.line("Parquet", data::arrow_version().empty() ? "not read" : "read by Arrow " + data::arrow_version());

  const Ceilings& speed = found.ceilings;
  page.heading(fmt::format("Speed on {} thread{}", found.threads, found.threads == 1 ? "" : "s"));
  page.line("float32 products",
            fmt::format("{} GFLOP/s", format_count(static_cast<int64_t>(speed.flops_per_second_fp32 / 1e9))));
  page.line("bf16 products",
            fmt::format("{} GFLOP/s ({:.1f} times float32), by {}",
                        format_count(static_cast<int64_t>(speed.flops_per_second_bf16 / 1e9)),
                        speed.flops_per_second_bf16 / speed.flops_per_second_fp32, found.bf16_products));
  page.line("memory, reading", fmt::format("{:.1f} GB/s", speed.bytes_per_second / 1e9));
  page.line("small operator", fmt::format("{:.1f} µs a call", speed.seconds_per_operator_call * 1e6));
  page.heading("Cache");
  page.line("folder", found.cache);
  page.line("size", fmt::format("{} (assay doctor --clear-cache empties it)", format_bytes(found.cache_bytes)));
  page.heading(found.missing.empty() ? "Nothing is missing" : "Not here, and what that costs");
  for (const Missing& each : found.missing) page.line(each.what, each.cost);
  return page.str();
}

void empty_cache(const DoctorOptions& options, Session& session) {
  const std::string folder = cache_folder(options.cache);
  const int64_t before = folder_bytes(folder);
  clear_cache(folder);
  if (options.common.json) {
    ordered_json result = result_head(session.invocation);
    result["cache"] = {{"folder", folder}, {"removed_bytes", before - folder_bytes(folder)}};
    print_json(result);
  } else {
    fmt::print("Emptied {}: {} freed.\n", folder, format_bytes(before - folder_bytes(folder)));
  }
}

}  // namespace

void run(const DoctorOptions& options, Session& session) {
  if (options.clear_cache && !options.common.plan) return empty_cache(options, session);
  if (options.common.plan) {
    // Its time is chosen, not counted: the measurements stop after two seconds.
    const Ceilings second{.flops_per_second_fp32 = 1};
    Plan plan(second);
    plan.add("measure", {.flops = kMeasuringSeconds, .peak_bytes = resident_bytes() + kMeasuringBytes});
    stops_at_plan(session, plan, "");
    return;
  }
  const auto folder = claim_out(session, Hasher().add("doctor").add(version()).digest128());
  const Findings found = examine(options);
  const ordered_json result = as_json(found, session.invocation);
  if (folder) folder->write_result(result);
  if (options.common.json) return print_json(result);
  const std::string page = as_page(found);
  std::fwrite(page.data(), 1, page.size(), stdout);
}

}  // namespace assay::cli
