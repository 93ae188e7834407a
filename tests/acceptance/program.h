// Runs the built program as a user would, with its own standard streams.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace assay {

struct Outcome {
  int exit_code = -1;  ///< 128 + signal where one ended the program, as shells say
  std::string out, err;
  double seconds = 0;
  double processor_seconds = 0;  ///< which other programs on the machine do not stretch
};

struct Surroundings {
  std::map<std::string, std::string> environment = {};  ///< set beside the test's own
  std::string input = {};                               ///< bytes on standard input
  std::string out_path = {};                            ///< a device for standard output; it is not read back
  int out_descriptor = -1;                              ///< or an open descriptor for it
};

namespace detail {

inline std::vector<std::string> environment_with(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> variables;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string variable = *each;
    if (!changes.contains(variable.substr(0, variable.find('=')))) variables.push_back(variable);
  }
  for (const auto& [name, value] : changes) variables.push_back(name + "=" + value);
  return variables;
}

inline std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace detail

/// A program that was started and not waited for.
class Running {
 public:
  explicit Running(std::vector<std::string> arguments, const Surroundings& around = {})
      : out_path_(around.out_path.empty() ? folder_ / "out" : around.out_path), reads_back_(around.out_path.empty()) {
    arguments.insert(arguments.begin(), ASSAY_BINARY);
    std::vector<std::string> variables = detail::environment_with(around.environment);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, folder_.write("in", around.input).c_str(), O_RDONLY, 0);
    if (around.out_descriptor >= 0) {
      posix_spawn_file_actions_adddup2(&actions, around.out_descriptor, 1);
    } else {
      posix_spawn_file_actions_addopen(&actions, 1, out_path_.c_str(), O_WRONLY | O_CREAT, 0600);
    }
    posix_spawn_file_actions_addopen(&actions, 2, (folder_ / "err").c_str(), O_WRONLY | O_CREAT, 0600);
    const int error = posix_spawn(&process_, ASSAY_BINARY, &actions, nullptr, detail::pointers(arguments).data(),
                                  detail::pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("starting " ASSAY_BINARY " failed");
  }

  pid_t process() const { return process_; }
  void signal(int number) const { kill(process_, number); }

  /// Waits until `holds()`, at most ten minutes; false where the program ended or they passed before.
  bool wait_until(const std::function<bool()>& holds) const {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(10);
    while (!holds()) {
      siginfo_t ended = {};
      waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOHANG | WNOWAIT);
      if (ended.si_pid != 0 || std::chrono::steady_clock::now() > patience) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  std::string errors_so_far() const { return read_bytes(folder_ / "err"); }

  Outcome wait() {
    int status = 0;
    rusage used = {};
    wait4(process_, &status, 0, &used);
    Outcome outcome;
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
    };
    outcome.processor_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (reads_back_) outcome.out = read_bytes(out_path_);
    outcome.err = read_bytes(folder_ / "err");
    return outcome;
  }

 private:
  TemporaryFolder folder_;
  std::string out_path_;
  bool reads_back_;  // not what a device such as /dev/full would give
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  pid_t process_ = 0;
};

/// Runs `assay ARGUMENTS…` to its end.
inline Outcome run_assay(const std::vector<std::string>& arguments, const Surroundings& around = {}) {
  return Running(arguments, around).wait();
}

/// Whether standard error holds exactly one line, the sentence of an error of this kind.
inline bool is_one_sentence(const std::string& err, const std::string& kind) {
  return err.rfind("assay: " + kind + " error: ", 0) == 0 && std::count(err.begin(), err.end(), '\n') == 1;
}

}  // namespace assay
