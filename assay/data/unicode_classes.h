// What kind of character a character is: letter (L*), number (N*), white space, word character (Unicode's UTS #18). The
// tables are PCRE2's own, read out of it once in a process (some milliseconds, 60 KB), so that what is cut by hand and
// what is cut by a pattern never disagree, whichever version of Unicode the library has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::data {

enum CharacterClass : uint8_t { kLetter = 1, kNumber = 2, kWhiteSpace = 4, kWordCharacter = 8 };

/// Bytes of the character that a valid lead byte begins.
inline size_t utf8_length(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The character that begins at `at` in valid UTF-8.
inline uint32_t character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return uint32_t{static_cast<uint8_t>(text[at + i])}; };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return lead;
  if (lead < 0xE0) return ((lead & 0x1F) << 6) | (byte(1) & 0x3F);
  if (lead < 0xF0) return ((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F);
  return ((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F);
}

/// Where the character begins that ends before `end` > 0.
inline size_t character_before(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while ((static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

void append_utf8(std::string& text, uint32_t character);

class UnicodeClasses {
 public:
  /// The one table of the process.
  static const UnicodeClasses& get();

  uint8_t of(uint32_t character) const { return pages_[page_[character >> 8]][character & 0xFF]; }
  uint8_t at(std::string_view text, size_t place) const { return of(character_at(text, place)); }

  /// Where the run of white space that ends at `end` begins; where the one that begins at `begin` ends.
  size_t white_space_begin(std::string_view text, size_t end) const;
  size_t white_space_end(std::string_view text, size_t begin) const;

 private:
  UnicodeClasses();
  void mark(const char* pattern, CharacterClass flag);

  std::array<uint16_t, 0x1100> page_{};
  std::vector<std::array<uint8_t, 256>> pages_;
};

}  // namespace assay::data
