// The program: understands the command line by itself, then loads libassay.so (and with it LibTorch, 260 MB, a quarter
// of a second) only when there is work to do.
#include <dlfcn.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "assay/core/error.h"
#include "cli/command_line_options.h"
#include "cli/worker_processes.h"

namespace {

using assay::Error;
using assay::ErrorKind;
using assay::cli::Invocation;

/// Beside the program in a build folder, in ../lib when installed.
std::string library_path() {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const char* place : {"libassay.so", "../lib/libassay.so"}) {
    if (std::filesystem::exists(program / place)) return program / place;
  }
  throw Error(ErrorKind::Resource, "loading libassay.so: it must lie beside the program or in ../lib, but neither " +
                                       program.string() + " nor ../lib has it; build it with ./dev build");
}

int run_in_library(const Invocation& invocation) {
  const std::string path = library_path();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  void* entry = library != nullptr ? dlsym(library, "assay_run") : nullptr;
  if (entry == nullptr) {
    throw Error(ErrorKind::Resource, std::string("loading libassay.so: it must load with its LibTorch, but ") +
                                         dlerror() + "; build again with ./dev build");
  }
  return reinterpret_cast<decltype(&assay_run)>(entry)(invocation);
}

int report(ErrorKind kind, const char* message) {
  std::fprintf(stderr, "assay: %s error: %s\n", assay::to_string(kind), message);
  return static_cast<int>(kind);
}

/// A worker (cli/worker_processes.h) ends with the process that started it, however that one ends: it holds the lock of
/// its folder, and the same command started again wants it.
void end_with_parent() {
  const char* parent = std::getenv(assay::cli::kParentVariable);
  if (parent == nullptr) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (std::to_string(getppid()) != parent) std::_Exit(130);  // it had ended before we asked
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE,
              SIG_DFL);  // a reader that has seen enough (| head) ends us quietly, even if our parent ignores it
  end_with_parent();
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit (ulimit -f) is then an error of its write, in one sentence
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const assay::cli::CommandLine line = assay::cli::parse_command_line(arguments);
    if (line.invocation) return run_in_library(*line.invocation);
    std::fputs(line.text.c_str(), stdout);
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0
               ? 0
               : report(ErrorKind::Resource,
                        "writing to standard output: it must take what is printed, but it does not; is the disk full?");
  } catch (const Error& error) {
    return report(error.kind(), error.what());
  } catch (const std::exception& error) {
    return report(ErrorKind::Internal, error.what());
  }
}
