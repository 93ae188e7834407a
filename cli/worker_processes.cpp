#include "cli/worker_processes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "assay/core/error.h"
#include "assay/core/machine.h"
#include "assay/core/twin.h"

namespace assay::cli {
namespace {

constexpr std::chrono::milliseconds kPoll{20};

std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) last = line;
  return last;
}

ErrorKind kind_of(int status) {
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  for (const ErrorKind kind : {ErrorKind::Usage, ErrorKind::Data, ErrorKind::Model, ErrorKind::Numeric,
                               ErrorKind::Resource, ErrorKind::Interrupted}) {
    if (code == static_cast<int>(kind)) return kind;
  }
  return ErrorKind::Internal;
}

/// What a process is started with besides its program; freed with it.
class SpawnFiles {
 public:
  explicit SpawnFiles(const std::string& log) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
  }
  ~SpawnFiles() { posix_spawn_file_actions_destroy(&actions_); }
  SpawnFiles(const SpawnFiles&) = delete;
  SpawnFiles& operator=(const SpawnFiles&) = delete;

  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

/// The processes that run now. None outlives it: what still runs when it goes is asked to stop and awaited.
class Processes {
 public:
  ~Processes() {
    for (const Running& process : running_) kill(process.id, SIGTERM);
    for (const Running& process : running_) waitpid(process.id, nullptr, 0);
  }

  size_t size() const { return running_.size(); }

  int64_t resident_bytes() const {
    int64_t bytes = 0;
    for (const Running& process : running_) bytes += resident_bytes_of(process.id);
    return bytes;
  }

  void start(const Worker& worker) {
    std::string program = "/proc/self/exe";
    std::vector<std::string> arguments = worker.arguments;
    std::vector<char*> argv{program.data()};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const SpawnFiles files(worker.log);
    pid_t id = 0;
    std::string parent = fmt::format("{}={}", kParentVariable, getpid());
    std::vector<char*> environment{parent.data()};
    for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
    environment.push_back(nullptr);
    const int failure = posix_spawn(&id, program.c_str(), files.get(), nullptr, argv.data(), environment.data());
    if (failure != 0) {
      throw Error(ErrorKind::Resource,
                  fmt::format("{}: a process must start, but the system refuses: {}; free memory or "
                              "lower the number of --threads",
                              worker.name, std::strerror(failure)));
    }
    running_.push_back({id, &worker});
  }

  /// Takes away those that have ended, and says how many. Throws the error of one that failed.
  int collect() {
    int ended = 0;
    for (size_t i = 0; i < running_.size();) {
      int status = 0;
      if (waitpid(running_[i].id, &status, WNOHANG) == 0) {
        ++i;
        continue;
      }
      const Worker& worker = *running_[i].worker;
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      if (status != 0) throw Error(kind_of(status), failure_of(worker, status));
      ++ended;
    }
    return ended;
  }

 private:
  struct Running {
    pid_t id;
    const Worker* worker;
  };

  static std::string failure_of(const Worker& worker, int status) {
    const std::string how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                : fmt::format("exit code {}", WEXITSTATUS(status));
    return fmt::format("{}: its process must end well, but it ended with {} and these words: {} (all of them: {})",
                       worker.name, how, last_line(worker.log), worker.log);
  }

  std::vector<Running> running_;
};

}  // namespace

void run_workers(const std::vector<Worker>& workers, int at_once, Progress& progress) {
  Processes processes;
  size_t started = 0;
  while (started < workers.size() || processes.size() > 0) {
    while (started < workers.size() && processes.size() < static_cast<size_t>(at_once))
      processes.start(workers[started++]);
    std::this_thread::sleep_for(kPoll);
    if (!ASSAY_TWIN("cli.peak_without_workers")) lift_peak_resident(resident_bytes() + processes.resident_bytes());
    progress.advance(processes.collect());
  }
}

}  // namespace assay::cli
