// What every result says about itself, and how it is written as JSON (docs/results.md lists the keys).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands.h"

namespace assay::cli {

/// The head of every result: assay, libtorch, command, arguments, seed, threads, dtype, device, processor.
nlohmann::ordered_json result_head(const Invocation& invocation);

/// The argument as a shell takes it: in single quotes where it holds anything that a shell would change.
std::string quoted_for_shell(const std::string& argument);

/// "assay attribute model/ …", quoted so that it can be typed again.
std::string shell_line(const Invocation& invocation);

/// A result as it is printed and kept, with a line end. Paths, arguments and texts need not be UTF-8: bytes that are
/// not become U+FFFD instead of an error.
std::string json_text(const nlohmann::ordered_json& result);

/// Prints `result` as the one JSON object of --json.
void print_json(const nlohmann::ordered_json& result);

}  // namespace assay::cli
