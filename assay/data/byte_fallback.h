// The tokens "<0x00>" to "<0xFF>" of SentencePiece vocabularies: a character that has no token of its own becomes the
// tokens of its bytes, if all of them are there.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::data {

/// The byte of a token "<0x4F>", or -1.
inline int byte_of_fallback_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  int byte = -1;
  const char* end = token.data() + 5;
  return std::from_chars(token.data() + 3, end, byte, 16).ptr == end ? byte : -1;
}

class ByteFallback {
 public:
  explicit ByteFallback(const std::vector<std::string>& vocabulary) {
    ids_.fill(-1);
    for (size_t id = 0; id < vocabulary.size(); ++id) {
      if (const int byte = byte_of_fallback_token(vocabulary[id]); byte >= 0) {
        ids_[static_cast<size_t>(byte)] = static_cast<int32_t>(id);
      }
    }
  }

  int32_t id(char byte) const { return ids_[static_cast<uint8_t>(byte)]; }
  bool covers(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [&](char byte) { return id(byte) >= 0; });
  }

 private:
  std::array<int32_t, 256> ids_{};
};

}  // namespace assay::data
