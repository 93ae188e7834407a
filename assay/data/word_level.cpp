// Word level: a piece is a token or it is unknown. Used by the generated corpora, whose every word is one token.
#include <fmt/format.h>

#include "assay/core/error.h"
#include "assay/data/subword_model.h"

namespace assay::data {
namespace {

class WordLevel final : public SubwordModel {
 public:
  explicit WordLevel(const TokenizerDefinition& definition)
      : pretokenizer_(definition.split_rules, definition.source),
        vocabulary_(definition.vocabulary),
        ids_(ids_by_token(vocabulary_, definition.source)),
        unknown_(definition.unknown) {}

  void encode(std::string_view text, int64_t offset, StretchPlace, TokenSink& sink) const override {
    pretokenizer_.for_each_piece(text, [&](std::string_view piece) {
      const auto found = ids_.find(piece);
      if (found == ids_.end() && !unknown_) {
        throw Error(ErrorKind::Data,
                    fmt::format("tokenizing a text: a word-level vocabulary without an unknown token must hold every "
                                "word, but it has no \"{}\"; remove the word or add an unknown token to tokenizer.json",
                                piece.substr(0, 80)));
      }
      const int64_t begin = offset + (piece.data() - text.data());
      sink.put(found == ids_.end() ? *unknown_ : found->second, begin, begin + static_cast<int64_t>(piece.size()));
    });
  }

  std::string token_text(int32_t id) const override { return " " + vocabulary_[static_cast<size_t>(id)]; }
  bool cuts_before_spaces() const override { return pretokenizer_.cuts_before_spaces(); }

 private:
  Pretokenizer pretokenizer_;
  std::vector<std::string> vocabulary_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into vocabulary_
  std::optional<int32_t> unknown_;
};

}  // namespace

std::unique_ptr<SubwordModel> make_word_level(const TokenizerDefinition& definition) {
  return std::make_unique<WordLevel>(definition);
}

}  // namespace assay::data
