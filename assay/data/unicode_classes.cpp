#include "assay/data/unicode_classes.h"

#include <algorithm>
#include <map>

#include "assay/data/pcre2_pattern.h"

namespace assay::data {
namespace {

// Beyond these Unicode has assigned nothing but private characters, which are none of the classes.
constexpr std::array<std::array<uint32_t, 2>, 3> kAssigned{{{0, 0xD800}, {0xE000, 0x40000}, {0xE0000, 0xE1000}}};

}  // namespace

void append_utf8(std::string& text, uint32_t character) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (character < 0x80) return put(character);
  if (character < 0x800) {
    put(0xC0 | (character >> 6));
  } else if (character < 0x10000) {
    put(0xE0 | (character >> 12));
    put(0x80 | ((character >> 6) & 0x3F));
  } else {
    put(0xF0 | (character >> 18));
    put(0x80 | ((character >> 12) & 0x3F));
    put(0x80 | ((character >> 6) & 0x3F));
  }
  put(0x80 | (character & 0x3F));
}

const UnicodeClasses& UnicodeClasses::get() {
  static const UnicodeClasses table;
  return table;
}

UnicodeClasses::UnicodeClasses() : pages_(0x1100) {
  for (size_t page = 0; page < page_.size(); ++page) page_[page] = static_cast<uint16_t>(page);
  mark(R"(\p{L}+)", kLetter);
  mark(R"(\p{N}+)", kNumber);
  mark(R"(\s+)", kWhiteSpace);
  mark(R"(\w+)", kWordCharacter);

  // Equal pages, such as those of ideographs, are kept once.
  std::map<std::array<uint8_t, 256>, uint16_t> places;
  std::vector<std::array<uint8_t, 256>> kept;
  for (size_t page = 0; page < page_.size(); ++page) {
    const auto [place, is_new] = places.emplace(pages_[page], static_cast<uint16_t>(kept.size()));
    if (is_new) kept.push_back(pages_[page]);
    page_[page] = place->second;
  }
  pages_ = std::move(kept);
}

void UnicodeClasses::mark(const char* pattern, CharacterClass flag) {
  const Pcre2Pattern matcher(pattern, "Unicode");
  std::string text;
  for (const auto& [first, last] : kAssigned) {
    text.clear();
    for (uint32_t character = first; character < last; ++character) append_utf8(text, character);
    for (auto match = matcher.find(text, 0); match.end > 0; match = matcher.find(text, match.end)) {
      for (size_t at = match.begin; at < match.end; at += utf8_length(text[at])) {
        const uint32_t character = character_at(text, at);
        auto& place = pages_[character >> 8][character & 0xFF];
        place = static_cast<uint8_t>(place | flag);
      }
    }
  }
}

size_t UnicodeClasses::white_space_begin(std::string_view text, size_t end) const {
  while (end > 0) {
    const size_t before = character_before(text, end);
    if ((at(text, before) & kWhiteSpace) == 0) break;
    end = before;
  }
  return end;
}

size_t UnicodeClasses::white_space_end(std::string_view text, size_t begin) const {
  while (begin < text.size() && (at(text, begin) & kWhiteSpace) != 0) begin += utf8_length(text[begin]);
  return begin;
}

}  // namespace assay::data
