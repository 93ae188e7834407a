#include "cli/result_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "assay/core/cache.h"
#include "assay/core/error.h"
#include "assay/core/version.h"
#include "assay/io/atomic_file.h"
#include "assay/io/json.h"
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

/// The run that owns a folder.
struct Owner {
  std::string identity, command;
};

/// Nothing where there is no such file or it cannot be read.
std::optional<Owner> read_owner(const std::string& path) {
  if (!fs::exists(path)) return std::nullopt;
  try {
    const io::JsonObject run = io::read_json_object(path, ErrorKind::Data);
    return Owner{run.text("identity"), run.text("command")};
  } catch (const Error&) {
    return std::nullopt;
  }
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
    refuse(ErrorKind::Resource, path_,
           fmt::format("it must be a folder that can be made, but: {}; choose another --out", error.message()));
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
  if (lock_ < 0)
    refuse(ErrorKind::Resource, path_,
           fmt::format("it must be writable, but: {}; choose another --out", std::strerror(errno)));
  if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const bool is_taken = errno == EWOULDBLOCK;
  const std::string reason = std::strerror(errno);
  close(lock_);
  refuse(ErrorKind::Resource, path_,
         is_taken ? "one process at a time may write there, and another assay is writing now; wait for it, or choose "
                    "another --out"
                  : fmt::format("it must be on a disk that can lock files, but: {}; choose another --out", reason));
}

void ResultFolder::claim(const Invocation& invocation, const std::string& identity) {
  const std::optional<Owner> owner = read_owner(file(kRun));
  if (!owner && fs::exists(file(kRun))) {
    refuse(ErrorKind::Usage, path_,
           "its run.json must name the run that it belongs to, but it is damaged; choose another --out, or remove the "
           "folder if nothing in it is needed");
  }
  if (!owner && holds_foreign_files(path_)) {
    refuse(
        ErrorKind::Usage, path_,
        "it must be new, empty or a result of Assay, but it holds other files (and no run.json); choose another --out");
  }
  reopened_ = owner && owner->identity == identity && !invocation.common().force;
  if (reopened_) return;
  if (owner) {
    if (!invocation.common().force) {
      refuse(
          ErrorKind::Usage, path_,
          fmt::format("it must hold this very run, but it holds another one (assay {}, with other options, inputs or "
                      "version); choose another --out, or add --force to remove it",
                      owner->command));
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
