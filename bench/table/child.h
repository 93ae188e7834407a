// Programs that are run and waited for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace assay::bench {

/// Runs a program and returns what it wrote to standard output. Throws Error(Resource) with its last line where it
/// fails; `show_errors`: what it writes to standard error goes to ours.
std::string output_of(const std::vector<std::string>& command, bool show_errors);

}  // namespace assay::bench
