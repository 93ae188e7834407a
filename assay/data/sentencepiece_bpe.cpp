// SentencePiece-style BPE with byte fallback (Llama 2, stories260K): a "▁" is put before the text and in place of every
// space; characters that the vocabulary lacks become the tokens of their bytes, "<0xE2>"; then pairs merge by rank over
// the whole stretch, across words. Without byte tokens a missing character is the unknown token.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/subword_model.h"

namespace assay::data {
namespace {

constexpr int32_t kNoToken = -1;
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // ▁ U+2581

/// Bytes of the character that a valid lead byte begins.
size_t utf8_length(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// The byte of a token "<0x4F>", or -1.
int byte_of_fallback_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  int byte = -1;
  const char* end = token.data() + 5;
  return std::from_chars(token.data() + 3, end, byte, 16).ptr == end ? byte : -1;
}

class SentencePieceBpe final : public SubwordModel {
 public:
  explicit SentencePieceBpe(const TokenizerDefinition& definition)
      : merges_(definition.merges),
        vocabulary_(definition.vocabulary),
        ids_(ids_by_token(vocabulary_, definition.source)),
        unknown_(definition.unknown.value_or(kNoToken)),
        fuses_unknown_(definition.fuses_unknown) {
    byte_tokens_.fill(kNoToken);
    for (const auto& [token, id] : ids_) {
      if (const int byte = byte_of_fallback_token(token); byte >= 0) byte_tokens_[static_cast<size_t>(byte)] = id;
    }
  }

  void encode(std::string_view text, int64_t offset, std::vector<TokenSpan>& tokens) const override {
    ASSAY_ASSERT(text.size() < UINT32_MAX);
    std::vector<Symbol> symbols;
    add_character(kSpaceMark, 0, 0, symbols);
    for (size_t i = 0; i < text.size();) {
      const size_t next = i + utf8_length(text[i]);
      const std::string_view character = text[i] == ' ' ? kSpaceMark : text.substr(i, next - i);
      add_character(character, static_cast<uint32_t>(i), static_cast<uint32_t>(next), symbols);
      i = next;
    }
    merges_.apply(symbols);
    int64_t from = offset;
    for (const Symbol& symbol : symbols) {
      tokens.push_back({symbol.id, from, offset + symbol.end});
      from = offset + symbol.end;
    }
  }

  std::string token_text(int32_t id) const override {
    const std::string& token = vocabulary_[static_cast<size_t>(id)];
    if (const int byte = byte_of_fallback_token(token); byte >= 0) return {static_cast<char>(byte)};
    std::string text;
    for (size_t i = 0; i < token.size();) {
      const bool is_space = std::string_view(token).substr(i).starts_with(kSpaceMark);
      text += is_space ? ' ' : token[i];
      i += is_space ? kSpaceMark.size() : 1;
    }
    return text;
  }

  bool adds_space() const override { return !ASSAY_TWIN("data.added_space_stays"); }

 private:
  /// Appends the symbol, or the bytes' symbols, of a character that stands for the bytes [begin, end) of the text.
  void add_character(std::string_view character, uint32_t begin, uint32_t end, std::vector<Symbol>& symbols) const {
    if (const auto found = ids_.find(character); found != ids_.end()) {
      symbols.push_back({found->second, end});
      return;
    }
    const auto token_of = [&](char c) { return byte_tokens_[static_cast<uint8_t>(c)]; };
    const bool has_bytes =
        std::none_of(character.begin(), character.end(), [&](char c) { return token_of(c) == kNoToken; });
    if (has_bytes) {
      for (size_t i = 0; i < character.size(); ++i) {
        symbols.push_back({token_of(character[i]), std::min(end, begin + static_cast<uint32_t>(i) + 1)});
      }
    } else if (unknown_ == kNoToken) {
      throw Error(
          ErrorKind::Data,
          fmt::format("tokenizing a text: the vocabulary must hold every character of it, or byte tokens, or an "
                      "unknown token, but it has none of these for \"{}\"; remove that character from the text",
                      character));
    } else if (fuses_unknown_ && !symbols.empty() && symbols.back().id == unknown_) {
      symbols.back().end = end;
    } else {
      symbols.push_back({unknown_, end});
    }
  }

  BpeMerges merges_;
  std::vector<std::string> vocabulary_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into vocabulary_
  std::array<int32_t, 256> byte_tokens_{};
  int32_t unknown_;
  bool fuses_unknown_;
};

}  // namespace

std::unique_ptr<SubwordModel> make_sentencepiece_bpe(const TokenizerDefinition& definition) {
  return std::make_unique<SentencePieceBpe>(definition);
}

}  // namespace assay::data
