#include "assay/core/version.h"

namespace assay {

const char* version() noexcept {
  return ASSAY_VERSION;
}

std::string version_line() {
#ifdef __clang__
  const std::string compiler = std::string("clang ") + __clang_version__;
#else
  const std::string compiler = std::string("g++ ") + __VERSION__;
#endif
  return std::string("assay ") + version() + " (" + compiler + ")";
}

}  // namespace assay
