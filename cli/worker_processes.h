// Runs of this same program side by side: each a process of its own with one thread, so that several small trainings
// use all cores where one would not. Started by posix_spawn: a process that has loaded LibTorch must not be forked.
#pragma once

#include <string>
#include <vector>

#include "assay/core/progress.h"

namespace assay::cli {

/// Environment variable of a worker: the process that started it. The program ends with that process, even if it is
/// killed, so that no worker is left holding the lock of a folder.
inline constexpr const char* kParentVariable = "ASSAY_PARENT";

struct Worker {
  std::string name;                    ///< for messages: "training without the top documents, seed 1"
  std::vector<std::string> arguments;  ///< of this program
  std::string log;                     ///< file that takes what it prints
};

/// Runs all of them, at most `at_once` at a time, in their order; advances `progress` by one for each that ends. What
/// all of them hold together counts in peak_resident_bytes().
/// Throws the worker's own error (its kind by exit code, its last printed line) after stopping the others, and
/// Error(Interrupted) when the user stops; whoever is running then stops in the same way and can be resumed.
void run_workers(const std::vector<Worker>& workers, int at_once, Progress& progress);

}  // namespace assay::cli
