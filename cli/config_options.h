// --config FILE.toml: the options of a command from a file, under the names that they have on the command line.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace assay::cli {

/// The file's entries as words of a command line ("--top=10"), without those in `given` (option names that the command
/// line itself sets, "--top"). Errors: Data when the file cannot be read or is no TOML (line and column); Usage for a
/// key that is no option of `command`, with the nearest ones.
std::vector<std::string> read_config(const CLI::App& command, const std::string& path,
                                     const std::vector<std::string>& given);

}  // namespace assay::cli
