// UTF-8: the length of a character and where a text stops being valid (overlong forms, surrogates and values beyond
// U+10FFFF are invalid, as in the Unicode standard).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace assay::data {

/// Bytes of the character that a valid lead byte begins.
constexpr size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Where the first invalid character begins; nothing if the text is UTF-8.
std::optional<size_t> first_invalid_utf8(std::string_view text);

}  // namespace assay::data
