// SentencePiece-style BPE with byte fallback (Llama 2, stories260K): a "▁" stands before the text and in place of every
// space; characters that the vocabulary lacks become the tokens of their bytes, "<0xE2>"; then pairs merge by rank over
// the whole stretch. Without byte tokens a missing character is the unknown token.
//
// Where no merge leads from a word over the space behind it, as in every vocabulary that was trained on words, the
// words of a stretch merge independently: they are encoded one by one and those met before come from a cache, to the
// same ids.
#include <fmt/format.h>

#include <algorithm>

#include "assay/core/error.h"
#include "assay/data/byte_fallback.h"
#include "assay/data/marked_words.h"
#include "assay/data/space_mark.h"
#include "assay/data/unicode_classes.h"
#include "assay/data/word_cache.h"

namespace assay::data {
namespace {

class SentencePieceBpe final : public SubwordModel {
 public:
  explicit SentencePieceBpe(const TokenizerDefinition& definition)
      : merges_(definition.merges),
        vocabulary_(definition.vocabulary),
        ids_(ids_by_token(vocabulary_, definition.source)),
        bytes_(vocabulary_),
        unknown_(definition.unknown.value_or(kNoToken)),
        fuses_unknown_(definition.fuses_unknown),
        added_space_(definition.added_space),
        word_cuts_(definition.cuts_words                 ? WordCuts::BeforeMarks
                   : ends_words_before_marks(definition) ? WordCuts::BeforeWords
                                                         : WordCuts::None) {}

  void encode(std::string_view text, int64_t offset, StretchPlace place, TokenSink& sink) const override {
    std::vector<Symbol> symbols;
    encode_marked_words(text, offset, puts_space(added_space_, place, text), word_cuts_, owner_, sink,
                        [&](std::string_view word, bool has_space, WordTokens& tokens) {
                          encode_word(word, has_space, symbols);
                          for (const Symbol& symbol : symbols) tokens.put(symbol.id, symbol.end);
                        });
  }

  std::string token_text(int32_t id) const override {
    return text_of_marked_token(vocabulary_[static_cast<size_t>(id)]);
  }
  bool cuts_before_spaces() const override { return word_cuts_ != WordCuts::None; }

 private:
  /// Whether no merge makes a token in which a mark follows another character. An unknown mark could fuse with what
  /// stands before it.
  bool ends_words_before_marks(const TokenizerDefinition& definition) const {
    if (!ids_.contains(kSpaceMark)) return false;
    return std::none_of(definition.merges.begin(), definition.merges.end(), [&](const BpeMerge& merge) {
      const std::string_view token = vocabulary_[static_cast<size_t>(merge.result)];
      size_t begin = 0;
      while (token.substr(begin).starts_with(kSpaceMark)) begin += kSpaceMark.size();
      return token.find(kSpaceMark, begin) != std::string_view::npos;
    });
  }

  /// The tokens of a word, each with where it ends in it.
  void encode_word(std::string_view word, bool has_space, std::vector<Symbol>& symbols) const {
    ASSAY_ASSERT(word.size() < UINT32_MAX);
    symbols.clear();
    if (has_space) add_character(kSpaceMark, 0, 0, symbols);
    for (size_t i = 0; i < word.size();) {
      const size_t next = i + utf8_length(word[i]);
      const std::string_view character = word[i] == ' ' ? kSpaceMark : word.substr(i, next - i);
      add_character(character, static_cast<uint32_t>(i), static_cast<uint32_t>(next), symbols);
      i = next;
    }
    merges_.apply(symbols);
  }

  /// Appends the symbol, or the bytes' symbols, of a character that stands for the bytes [begin, end) of the word.
  void add_character(std::string_view character, uint32_t begin, uint32_t end, std::vector<Symbol>& symbols) const {
    if (const auto found = ids_.find(character); found != ids_.end()) {
      symbols.push_back({found->second, end});
    } else if (bytes_.covers(character)) {
      for (size_t i = 0; i < character.size(); ++i) {
        symbols.push_back({bytes_.id(character[i]), std::min(end, begin + static_cast<uint32_t>(i) + 1)});
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

  const uint64_t owner_ = WordCache::new_owner();
  BpeMerges merges_;
  std::vector<std::string> vocabulary_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into vocabulary_
  ByteFallback bytes_;
  int32_t unknown_;
  bool fuses_unknown_;
  AddedSpace added_space_;
  WordCuts word_cuts_;
};

}  // namespace

std::unique_ptr<SubwordModel> make_sentencepiece_bpe(const TokenizerDefinition& definition) {
  return std::make_unique<SentencePieceBpe>(definition);
}

}  // namespace assay::data
