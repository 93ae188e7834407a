// From words to an Invocation: finds the command, merges --config, checks every option. Nothing here needs LibTorch, so
// that help and every usage error answer at once.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "cli/invocation.h"

namespace assay::cli {

/// Either a command to run or a text to print (help, version).
struct CommandLine {
  std::optional<Invocation> invocation;
  std::string text;
};

/// `arguments`: without the program's name. Errors: Usage (one sentence, near matches); Data when the file of --config
/// cannot be read.
CommandLine parse_command_line(std::span<const std::string> arguments);

}  // namespace assay::cli
