// Help as text: options by group, wrapped, with defaults.
#pragma once

#include <span>
#include <string>
#include <utility>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace assay::cli {

/// How an option is called on the command line: "--top" or "MODEL".
std::string display_name(const CLI::Option& option);

/// The help of one command.
std::string command_help(const CLI::App& command);

/// The help of the program: what it is, each command with its sentence, where to begin.
std::string program_help(std::span<const std::pair<std::string, std::string>> commands);

}  // namespace assay::cli
