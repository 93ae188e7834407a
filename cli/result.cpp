#include "cli/result.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/threads.h"
#include "assay/core/version.h"
#include "assay/io/atomic_file.h"
#include "assay/kernel/ceilings.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kLock = ".lock";
constexpr const char* kRun = "run.json";
constexpr const char* kResult = "result.json";
constexpr double kLongPlanSeconds = 600;

[[noreturn]] void refuse(ErrorKind kind, const std::string& path, const std::string& problem) {
  throw Error(kind, fmt::format("opening the result folder \"{}\": {}", path, problem));
}

/// The run that owns the folder; null where there is none or its file is torn.
ordered_json read_run(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  ordered_json run = ordered_json::parse(text, nullptr, false);
  const bool is_run = run.is_object() && run.contains("identity") && run["identity"].is_string() &&
                      run.contains("command") && run["command"].is_string();
  return is_run ? run : ordered_json();
}

bool holds_foreign_files(const std::string& path) {
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (name != kLock && !io::AtomicFile::is_leftover(name)) return true;
  }
  return false;
}

void remove_content(const std::string& path) {
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    std::error_code error;
    if (entry.path().filename() == kLock) continue;
    fs::remove_all(entry.path(), error);
    if (error)
      refuse(ErrorKind::Resource, path, fmt::format("removing \"{}\": {}", entry.path().string(), error.message()));
  }
}

}  // namespace

ResultFolder::ResultFolder(std::string path, const Invocation& invocation, const std::string& identity)
    : path_(std::move(path)) {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error)
    refuse(ErrorKind::Resource, path_, fmt::format("it must be a folder that can be made, but: {}", error.message()));
  lock();
  try {
    claim(invocation, identity);
  } catch (...) {
    close(lock_);
    throw;
  }
}

ResultFolder::~ResultFolder() {
  close(lock_);
}

void ResultFolder::lock() {
  lock_ = open(file(kLock).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  if (lock_ < 0) refuse(ErrorKind::Resource, path_, fmt::format("it must be writable, but: {}", std::strerror(errno)));
  if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const bool is_taken = errno == EWOULDBLOCK;
  const std::string reason = std::strerror(errno);
  close(lock_);
  refuse(ErrorKind::Resource, path_,
         is_taken ? "one process at a time may write there, and another assay is writing now; wait for it, or choose "
                    "another --out"
                  : fmt::format("it must be on a disk that can lock files, but: {}", reason));
}

void ResultFolder::claim(const Invocation& invocation, const std::string& identity) {
  const ordered_json owner = read_run(file(kRun));
  if (owner.is_null() && holds_foreign_files(path_)) {
    refuse(
        ErrorKind::Usage, path_,
        "it must be new, empty or a result of Assay, but it holds other files (and no run.json); choose another --out");
  }
  reopened_ = !owner.is_null() && owner["identity"] == identity && !invocation.common().force;
  if (reopened_) return;
  if (!owner.is_null()) {
    if (!invocation.common().force) {
      refuse(
          ErrorKind::Usage, path_,
          fmt::format("it must hold this very run, but it holds another one (assay {}, with other options, inputs or "
                      "version); choose another --out, or add --force to remove it",
                      owner["command"].get<std::string>()));
    }
    remove_content(path_);
  }
  const ordered_json run{{"assay", version()},
                         {"command", invocation.command},
                         {"arguments", invocation.arguments},
                         {"identity", identity}};
  write(kRun, run.dump(2) + "\n");
}

bool ResultFolder::finished() const {
  return fs::exists(file(kResult));
}

void ResultFolder::write(std::string_view name, std::string_view bytes) const {
  io::write_file(file(name), bytes);
}

ordered_json result_head(const Invocation& invocation) {
  const CommonOptions& common = invocation.common();
  return {{"assay", version()},
          {"libtorch", ASSAY_TORCH_VERSION},
          {"command", invocation.command},
          {"arguments", invocation.arguments},
          {"seed", common.seed},
          {"threads", at::get_num_threads()},
          {"dtype", common.precision == Precision::Float64 ? "fp64" : "fp32"},
          {"device", common.device == Device::Cuda ? "cuda" : "cpu"},
          {"processor", processor().model}};
}

namespace {

std::string quoted_for_shell(const std::string& argument) {
  const bool is_plain = !argument.empty() && argument.find_first_not_of(
                                                 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                 "_-./=,:@%+") == std::string::npos;
  if (is_plain) return argument;
  std::string quoted = "'";
  for (const char c : argument) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::string shell_line(const Invocation& invocation) {
  std::string line = "assay " + invocation.command;
  for (const std::string& argument : invocation.arguments) line += " " + quoted_for_shell(argument);
  return line;
}

namespace {

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

}  // namespace

namespace {

/// Texts may hold tokens that end inside a character: those bytes become U+FFFD instead of an error.
std::string json_text(const ordered_json& result) {
  return result.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

ordered_json cost_report(const Plan& plan, double seconds) {
  return {{"planned", plan_json(plan)}, {"actual", {{"seconds", seconds}, {"peak_bytes", peak_resident_bytes()}}}};
}

void keep_result(const Session& session, const std::string& identity, const ordered_json& result) {
  const std::string& out = session.invocation.common().out;
  if (out.empty()) return;
  ResultFolder(out, session.invocation, identity).write("result.json", json_text(result));
}

void print_json(const ordered_json& result) {
  const std::string text = json_text(result);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

namespace {

/// What does not fit --memory is refused before it begins; what may not fit the machine is said.
void check_memory(const Session& session, int64_t peak_bytes) {
  const int64_t granted = session.invocation.common().memory_bytes;
  if (granted > 0 && peak_bytes > granted) {
    throw Error(ErrorKind::Resource,
                fmt::format("planning this run: it must fit into --memory, {}, but it would hold about {} at its worst "
                            "moment; give more, or a smaller model or shorter texts",
                            format_bytes(granted), format_bytes(peak_bytes)));
  }
  const int64_t available = available_memory_bytes();
  if (granted == 0 && peak_bytes > available) {
    session.progress.note(fmt::format("This would hold about {}, but {} are free; --plan shows where.",
                                      format_bytes(peak_bytes), format_bytes(available)));
  }
}

}  // namespace

bool stops_at_plan(const Session& session, const Plan& plan, const std::string& advice) {
  const CommonOptions& common = session.invocation.common();
  if (!common.plan) {
    check_memory(session, plan.peak_bytes());
    if (plan.total_seconds() > kLongPlanSeconds) {
      session.progress.note(fmt::format("This will take about {}. {}; --plan shows where the time goes.",
                                        format_seconds(plan.total_seconds()), advice));
    }
    return false;
  }
  if (common.json) {
    ordered_json result = result_head(session.invocation);
    result["plan"] = plan_json(plan);
    print_json(result);
  } else {
    std::fputs(plan.table().c_str(), stdout);
  }
  return true;
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

std::string cache_folder(const std::string& given) {
  return given.empty() ? default_cache_folder() : given;
}

}  // namespace assay::cli
