#include "cli/result_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/version.h"
#include "assay/io/atomic_file.h"
#include "cli/result.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kLock = ".lock";
constexpr const char* kRun = "run.json";
constexpr const char* kResult = "result.json";

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
  write(kRun, json_text(run));  // arguments need not be UTF-8
}

bool ResultFolder::finished() const {
  return fs::exists(file(kResult));
}

void ResultFolder::write(std::string_view name, std::string_view bytes) const {
  io::write_file(file(name), bytes);
}

int64_t ResultFolder::bytes() const {
  return folder_bytes(path_) - folder_bytes(file(kUnfinished));
}

void ResultFolder::write_result(const ordered_json& result) const {
  write(kResult, json_text(result));
}

std::optional<ResultFolder> claim_out(const Session& session, const std::string& identity) {
  const std::string& out = session.invocation.common().out;
  if (out.empty()) return std::nullopt;
  return std::optional<ResultFolder>(std::in_place, out, session.invocation, identity);
}

}  // namespace assay::cli
