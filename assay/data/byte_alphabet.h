// GPT-2's printable alphabet for bytes, in which byte-level vocabularies are written: 33-126, 161-172 and 174-255 stand
// for themselves, the other 68 in increasing order for U+0100, U+0101, … (a space is U+0120, "Ġ").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assay::data {

class ByteAlphabet {
 public:
  ByteAlphabet();

  /// The character of a byte, in UTF-8.
  const std::string& spelling(uint8_t byte) const { return spelling_[byte]; }

  /// The bytes that a spelt token stands for; nothing if a character is none of the alphabet's.
  std::optional<std::string> bytes_of(std::string_view token) const;

 private:
  std::array<std::string, 256> spelling_;
  std::array<int16_t, 0x144> byte_of_{};  // by character; -1: none
};

}  // namespace assay::data
