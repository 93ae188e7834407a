#include "assay/data/byte_alphabet.h"

#include "assay/core/twin.h"

namespace assay::data {

ByteAlphabet::ByteAlphabet() {
  byte_of_.fill(-1);
  const uint32_t soft_hyphen = ASSAY_TWIN("data.byte_alphabet_off") ? 172 : 173;
  uint32_t next_substitute = 0x100;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool is_printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != soft_hyphen);
    const uint32_t character = is_printable ? byte : next_substitute++;
    byte_of_[character] = static_cast<int16_t>(byte);
    if (character < 0x80) {
      spelling_[byte] = {static_cast<char>(character)};
    } else {
      spelling_[byte] = {static_cast<char>(0xC0 | (character >> 6)), static_cast<char>(0x80 | (character & 0x3F))};
    }
  }
}

std::optional<std::string> ByteAlphabet::bytes_of(std::string_view token) const {
  std::string bytes;
  for (size_t i = 0; i < token.size(); ++i) {
    uint32_t character = static_cast<uint8_t>(token[i]);
    if (character >= 0x80) {  // the alphabet has no character beyond two bytes of UTF-8
      if ((character & 0xE0) != 0xC0 || i + 1 == token.size()) return std::nullopt;
      character = ((character & 0x1F) << 6) | (static_cast<uint8_t>(token[++i]) & 0x3F);
    }
    if (character >= byte_of_.size() || byte_of_[character] < 0) return std::nullopt;
    bytes += static_cast<char>(byte_of_[character]);
  }
  return bytes;
}

}  // namespace assay::data
