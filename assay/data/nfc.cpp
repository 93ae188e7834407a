#include "assay/data/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/unicode_classes.h"

namespace assay::data {
namespace {

constexpr utf8proc_option_t kCompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr size_t kMostParts = 18;  // of one character's full decomposition (UAX #15 allows no more)

/// Appends the canonical decomposition of a character, unordered.
void decompose(uint32_t character, std::vector<utf8proc_int32_t>& parts) {
  std::array<utf8proc_int32_t, kMostParts> buffer;
  const auto count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(character), buffer.data(), buffer.size(),
                              static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), nullptr);
  ASSAY_ASSERT(count > 0 && static_cast<size_t>(count) <= buffer.size());
  parts.insert(parts.end(), buffer.begin(), buffer.begin() + count);
}

/// Composes ordered parts in place.
void compose(std::vector<utf8proc_int32_t>& parts) {
  const auto count = utf8proc_normalize_utf32(parts.data(), static_cast<utf8proc_ssize_t>(parts.size()), kCompose);
  ASSAY_ASSERT(count >= 0);
  parts.resize(static_cast<size_t>(count));
}

uint8_t combining_class(utf8proc_int32_t character) {
  return static_cast<uint8_t>(utf8proc_get_property(character)->combining_class);
}

/// What normalisation may do to each character, in two bytes: its combining class and two flags.
class CompositionTable {
 public:
  static constexpr uint16_t kChanges = 0x100;  // its own NFC is another text
  static constexpr uint16_t kJoins = 0x200;    // may compose with what stands before it

  static const CompositionTable& get() {
    static const CompositionTable table;
    return table;
  }

  uint16_t of(uint32_t character) const { return character < entries_.size() ? entries_[character] : uint16_t{0}; }

 private:
  // Beyond the third plane are no characters that decompose or combine, but for a handful of marks of class 0.
  CompositionTable() : entries_(0x30000) {
    std::vector<utf8proc_int32_t> parts;
    for (uint32_t character = 0xC0; character < entries_.size(); ++character) {
      if (character >= 0xD800 && character < 0xE000) continue;
      const auto code = static_cast<utf8proc_int32_t>(character);
      entries_[character] |= combining_class(code);
      parts.clear();
      decompose(character, parts);
      if (parts.size() == 1 && parts[0] == code) continue;
      for (size_t i = 1; i < parts.size(); ++i) entries_[static_cast<uint32_t>(parts[i])] |= kJoins;
      compose(parts);
      if (parts.size() != 1 || parts[0] != code) entries_[character] |= kChanges;
    }
  }

  std::vector<uint16_t> entries_;
};

bool is_boundary(uint16_t entry) {
  return entry == 0;
}

/// Whether a character is below U+0300, the first that may change what stands before it or be changed. It begins with
/// 0xCC.
bool is_below_marks(char lead) {
  return static_cast<uint8_t>(lead) < 0xCC;
}

/// The same for all characters of a text, eight bytes a step.
bool is_below_marks(std::string_view text) {
  size_t at = 0;
  uint64_t eight = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::memcpy(&eight, text.data() + at, 8);
    // Of a byte from 0x80 on, the lower seven bits are carried into the eighth by 0x34 if it is at least 0xCC.
    const uint64_t carried = (eight & 0x7F7F7F7F7F7F7F7Full) + 0x3434343434343434ull;
    if ((carried & eight & 0x8080808080808080ull) != 0) return false;
  }
  const std::string_view rest = text.substr(at);
  return std::all_of(rest.begin(), rest.end(), [](char c) { return is_below_marks(c); });
}

/// A part of a text that begins at a boundary and holds no other.
class NfcPart {
 public:
  explicit NfcPart(const CompositionTable& table) : table_(table) {}

  /// Takes the part that begins at `begin`; returns its end.
  size_t take(std::string_view text, size_t begin) {
    codes_.clear();
    is_nfc_ = true;
    uint8_t last_class = 0;
    size_t at = begin;
    do {
      const uint32_t character = character_at(text, at);
      const uint16_t entry = table_.of(character);
      if (at > begin && is_boundary(entry)) break;
      const auto order = static_cast<uint8_t>(entry & 0xFF);
      const bool is_ordered = order == 0 || order >= last_class;
      is_nfc_ &= (entry & ~0xFF) == 0 && is_ordered;
      last_class = order;
      codes_.push_back(character);
      at += utf8_length(text[at]);
    } while (at < text.size());
    return at;
  }

  bool is_nfc() const { return is_nfc_; }

  /// Appends the NFC of the part.
  void normalize(std::string& text) {
    parts_.clear();
    for (const uint32_t character : codes_) decompose(character, parts_);
    for (auto begin = parts_.begin(); begin != parts_.end();) {
      const auto is_starter = [](utf8proc_int32_t code) { return combining_class(code) == 0; };
      if (is_starter(*begin)) {
        ++begin;
        continue;
      }
      const auto end = std::find_if(begin, parts_.end(), is_starter);
      if (!ASSAY_TWIN("data.marks_not_ordered")) {
        std::stable_sort(
            begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) { return combining_class(a) < combining_class(b); });
      }
      begin = end;
    }
    compose(parts_);
    for (const utf8proc_int32_t code : parts_) append_utf8(text, static_cast<uint32_t>(code));
  }

 private:
  const CompositionTable& table_;
  std::vector<uint32_t> codes_;
  std::vector<utf8proc_int32_t> parts_;
  bool is_nfc_ = true;
};

}  // namespace

size_t NormalizedText::original_place(size_t place) const {
  const auto after = std::upper_bound(changes.begin(), changes.end(), place,
                                      [](size_t at, const Change& change) { return at < change.normalized_begin; });
  if (after == changes.begin()) return place;
  const Change& change = *std::prev(after);
  if (place >= change.normalized_end) return change.end + (place - change.normalized_end);
  return std::min(change.end, change.begin + (place - change.normalized_begin));
}

size_t NormalizedText::normalized_place(size_t place) const {
  const auto after = std::upper_bound(changes.begin(), changes.end(), place,
                                      [](size_t at, const Change& change) { return at < change.begin; });
  if (after == changes.begin()) return place;
  const Change& change = *std::prev(after);
  return place >= change.end ? change.normalized_end + (place - change.end) : change.normalized_begin;
}

std::optional<NormalizedText> to_nfc(std::string_view text) {
  if (is_below_marks(text) || ASSAY_TWIN("data.nfc_skipped")) return std::nullopt;
  const CompositionTable& table = CompositionTable::get();
  NfcPart part(table);
  NormalizedText result;
  size_t copied = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t next = begin + utf8_length(text[begin]);
    if (is_below_marks(text[begin]) && (next == text.size() || is_below_marks(text[next]))) {
      begin = next;
      continue;
    }
    const size_t end = part.take(text, begin);
    if (!part.is_nfc()) {
      const size_t normalized_begin = result.text.size() + (begin - copied);
      result.text += text.substr(copied, begin - copied);
      part.normalize(result.text);
      copied = end;
      if (std::string_view(result.text).substr(normalized_begin) != text.substr(begin, end - begin)) {
        result.changes.push_back({begin, end, normalized_begin, result.text.size()});
      }
    }
    begin = end;
  }
  if (result.changes.empty()) return std::nullopt;
  result.text += text.substr(copied);
  return result;
}

size_t last_nfc_boundary(std::string_view text) {
  const CompositionTable& table = CompositionTable::get();
  for (size_t end = text.size(); end > 0;) {
    end = character_before(text, end);
    if (is_boundary(table.of(character_at(text, end)))) return end;
  }
  return 0;
}

}  // namespace assay::data
