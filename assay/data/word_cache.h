// The tokens of words that were met before. One table a thread, of a megabyte, shared by all tokenizers: a word
// has one place, which it shares with others, and the last of them stays. A word lies with its tokens in one cache
// line; long words and those of many tokens are not kept. Nothing here changes a result.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace assay::data {

class WordCache {
 public:
  static constexpr size_t kMostBytes = 23;
  static constexpr size_t kMostTokens = 7;

  static WordCache& of_this_thread();
  /// A number that no other tokenizer of the process has.
  static uint64_t new_owner();

  struct alignas(64) Place {
    uint64_t owner = 0;
    char word[kMostBytes] = {};
    uint8_t bytes = 0;
    uint32_t count = 0;
    int32_t ids[kMostTokens] = {};

    bool holds(uint64_t of_owner, std::string_view text) const {
      return owner == of_owner && bytes == text.size() && std::memcmp(word, text.data(), text.size()) == 0;
    }
    std::span<const int32_t> tokens() const { return {ids, count}; }
    /// Keeps the tokens if they and the word are short enough.
    void keep(uint64_t of_owner, std::string_view text, std::span<const int32_t> tokens);
  };

  /// The place of a word, whoever has it now.
  Place& place_of(std::string_view text) { return places_[hash(text) & (kPlaces - 1)]; }

 private:
  static constexpr size_t kPlaces = 16384;

  WordCache() : places_(kPlaces) {}

  /// Up to eight bytes from each end of the word, mixed; words that differ only between collide, which costs a miss.
  static uint64_t hash(std::string_view text) {
    uint64_t first = 0, last = 0;
    if (text.size() >= 8) {
      std::memcpy(&first, text.data(), 8);
      std::memcpy(&last, text.data() + text.size() - 8, 8);
    } else {
      for (const char c : text) first = (first << 8) | static_cast<uint8_t>(c);
    }
    const uint64_t mixed = (first ^ (last * 0x9E3779B97F4A7C15ull) ^ text.size()) * 0xD6E8FEB86659FD93ull;
    return mixed >> 40;
  }

  std::vector<Place> places_;
};

}  // namespace assay::data
