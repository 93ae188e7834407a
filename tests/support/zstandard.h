// Text as the zstd program would compress it.
#pragma once

#include <zstd.h>

#include <string>

namespace assay {

inline std::string zstandard(const std::string& text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  return packed;
}

}  // namespace assay
