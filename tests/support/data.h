// Where tests find the files that others made (models, corpora): $ASSAY_DATA, else ../shared/data beside the checkout.
// They are never part of the project; a test that needs one is skipped where it is absent:
//   const std::string path = data_path("models/stories260K");
//   if (path.empty()) GTEST_SKIP() << no_data("models/stories260K");
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace assay {

/// The path of a file or folder of the data, or "" where it is absent.
inline std::string data_path(const std::string& relative) {
  const char* root = std::getenv("ASSAY_DATA");
  const std::filesystem::path path =
      std::filesystem::path(root != nullptr ? root : ASSAY_SOURCE_DIR "/../shared/data") / relative;
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? path.string() : "";
}

inline std::string no_data(const std::string& relative) {
  return "skipped: no data: " + relative + " is neither under $ASSAY_DATA nor under ../shared/data";
}

}  // namespace assay
