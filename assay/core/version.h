// The version that results, caches and reports carry.
#pragma once

#include <string>

namespace assay {

/// "0.1.0".
const char* version() noexcept;

/// "assay 0.1.0 (g++ 12.2.0)".
std::string version_line();

}  // namespace assay
