#include "assay/io/utf8.h"

#include <cstring>

#include "assay/core/twin.h"

namespace assay::io {
namespace {

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0) == 0x80;
}

/// Length of the valid character at the beginning of `text`, 0 where there is none.
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  const unsigned char first = static_cast<unsigned char>(byte(0)), second = static_cast<unsigned char>(byte(1));
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !is_continuation(second)) return 0;  // 0xC0, 0xC1: overlong forms of ASCII
  if (first < 0xE0) return 2;

  // The second byte's range closes out what is overlong, a surrogate (U+D800 to U+DFFF) or beyond U+10FFFF.
  const unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned char most = first == 0xED && !ASSAY_TWIN("io.utf8_surrogates_allowed") ? 0x9F
                             : first == 0xF4                                            ? 0x8F
                                                                                        : 0xBF;
  if (second < least || second > most || !is_continuation(static_cast<unsigned char>(byte(2)))) return 0;
  if (first < 0xF0) return 3;
  return is_continuation(static_cast<unsigned char>(byte(3))) ? 4 : 0;
}

}  // namespace

std::optional<size_t> first_invalid_utf8(std::string_view text) noexcept {
  size_t at = 0;
  while (at < text.size()) {
    uint64_t eight = 0;
    if (at + 8 <= text.size()) {
      std::memcpy(&eight, text.data() + at, 8);
      if ((eight & 0x8080808080808080u) == 0) {
        at += 8;
        continue;
      }
    }
    const size_t length = character_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

void require_utf8(std::string_view text, uint64_t offset, const Source& source) {
  const std::optional<size_t> wrong = first_invalid_utf8(text);
  if (!wrong) return;
  const auto byte = static_cast<unsigned char>(text[*wrong]);
  const char digits[] = "0123456789ABCDEF";
  source.refuse("the text must be UTF-8, but byte " + std::to_string(offset + *wrong) + " (0x" + digits[byte >> 4] +
                digits[byte & 15] + ") does not begin a character; convert it with: iconv -f ENCODING -t UTF-8");
}

}  // namespace assay::io
