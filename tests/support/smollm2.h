// Where tests find SmolLM2-135M-Instruct: in the folder $ASSAY_SMOLLM2, else where `./dev models` puts it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace assay {

/// The path of its GGUF file, or "" where it is absent.
inline std::string smollm2_path() {
  const char* given = std::getenv("ASSAY_SMOLLM2");
  const std::string folder = given != nullptr ? given : ASSAY_SOURCE_DIR "/build/models/smollm2";
  if (!std::filesystem::is_directory(folder)) return "";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".gguf") return entry.path().string();
  }
  return "";
}

inline std::string no_smollm2() {
  return "skipped: no SmolLM2: fetch it with ./dev models, or name its folder in $ASSAY_SMOLLM2";
}

}  // namespace assay
