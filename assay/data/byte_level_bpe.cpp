// Byte-level BPE (GPT-2): pieces of text are byte strings, merged from single bytes. Two short cuts change no result: a
// word that this thread has met before comes from a cache, and a piece that is one token, as most words are, is found
// by its hash and needs no merging (that it would merge to that one token is checked when the tokenizer is built).
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/data/byte_alphabet.h"
#include "assay/data/subword_model.h"
#include "assay/data/word_cache.h"

namespace assay::data {
namespace {

class ByteLevelBpe final : public SubwordModel {
 public:
  explicit ByteLevelBpe(const TokenizerDefinition& definition)
      : pretokenizer_(definition.split_rules, definition.source),
        merges_(definition.merges),
        whole_pieces_(definition.vocabulary.size()) {
    const ByteAlphabet alphabet;
    const auto ids = ids_by_token(definition.vocabulary, definition.source);
    for (size_t byte = 0; byte < 256; ++byte) {
      const auto found = ids.find(alphabet.spelling(static_cast<uint8_t>(byte)));
      byte_tokens_[byte] = found == ids.end() ? definition.unknown.value_or(kNoToken) : found->second;
    }
    token_bytes_.reserve(definition.vocabulary.size());
    for (const std::string& token : definition.vocabulary) {
      const auto id = static_cast<int32_t>(token_bytes_.size());
      const auto bytes = alphabet.bytes_of(token);
      token_bytes_.push_back(bytes.value_or(token));
      if (bytes && (definition.ignores_merges || merges_to(*bytes, id))) remember_whole_piece(*bytes, id);
    }
  }

  void encode(std::string_view text, int64_t offset, StretchPlace, TokenSink& sink) const override {
    std::vector<Symbol> symbols;
    if (sink.wants_spans()) {
      pretokenizer_.for_each_piece(text, [&](std::string_view piece) {
        const int64_t begin = offset + (piece.data() - text.data());
        encode_piece(piece, symbols);
        int64_t from = begin;
        for (const Symbol& symbol : symbols) {
          sink.put(symbol.id, from, begin + symbol.end);
          from = begin + symbol.end;
        }
      });
      return;
    }
    WordCache& cache = WordCache::of_this_thread();
    pretokenizer_.for_each_piece(text, [&](std::string_view piece) {
      WordCache::Place& place = cache.place_of(piece);
      if (place.holds(owner_, piece)) return sink.put(place.tokens());
      encode_piece(piece, symbols);
      std::array<int32_t, WordCache::kMostTokens> ids;
      for (size_t i = 0; i < symbols.size(); ++i) {
        sink.put(symbols[i].id, 0, 0);
        if (i < ids.size()) ids[i] = symbols[i].id;
      }
      if (symbols.size() <= ids.size()) place.keep(owner_, piece, std::span(ids).first(symbols.size()));
    });
  }

  std::string token_text(int32_t id) const override { return token_bytes_[static_cast<size_t>(id)]; }
  bool cuts_before_spaces() const override { return pretokenizer_.cuts_before_spaces(); }

 private:
  /// The tokens of a piece, each with where it ends in it.
  void encode_piece(std::string_view piece, std::vector<Symbol>& symbols) const {
    const int32_t whole = whole_pieces_.get(hash64(piece));
    if (whole != kNoToken && token_bytes_[static_cast<size_t>(whole)] == piece) {
      symbols.assign(1, {whole, static_cast<uint32_t>(piece.size())});
      return;
    }
    begin_with_bytes(piece, symbols);
    merges_.apply(symbols);
  }

  void begin_with_bytes(std::string_view piece, std::vector<Symbol>& symbols) const {
    ASSAY_ASSERT(piece.size() < UINT32_MAX);
    symbols.clear();
    for (const char c : piece) {
      const auto byte = static_cast<uint8_t>(c);
      if (byte_tokens_[byte] == kNoToken) {
        throw Error(
            ErrorKind::Data,
            fmt::format("tokenizing a text: the vocabulary must hold every byte of it or name an unknown token, "
                        "but it does neither for byte 0x{:02x} of \"{}\"; remove that character from the text",
                        byte, piece.substr(0, 40)));
      }
      symbols.push_back({byte_tokens_[byte], static_cast<uint32_t>(symbols.size() + 1)});
    }
  }

  bool merges_to(std::string_view bytes, int32_t id) const {
    const auto is_known = [&](char c) { return byte_tokens_[static_cast<uint8_t>(c)] != kNoToken; };
    if (bytes.empty() || !std::all_of(bytes.begin(), bytes.end(), is_known)) return false;
    std::vector<Symbol> symbols;
    begin_with_bytes(bytes, symbols);
    merges_.apply(symbols);
    return symbols.size() == 1 && symbols[0].id == id;
  }

  /// Of two tokens with one hash only the first has the short cut; the other is merged from its bytes.
  void remember_whole_piece(std::string_view bytes, int32_t id) {
    const uint64_t key = hash64(bytes);
    if (whole_pieces_.get(key) == kNoToken) whole_pieces_.set(key, id);
  }

  const uint64_t owner_ = WordCache::new_owner();
  Pretokenizer pretokenizer_;
  BpeMerges merges_;
  FlatTable whole_pieces_;                // hash of the bytes → token; the bytes are compared after
  std::vector<std::string> token_bytes_;  // by id
  std::array<int32_t, 256> byte_tokens_{};
};

}  // namespace

std::unique_ptr<SubwordModel> make_byte_level_bpe(const TokenizerDefinition& definition) {
  return std::make_unique<ByteLevelBpe>(definition);
}

}  // namespace assay::data
