// What a tokenizer is made of, and the way that a text takes through it:
//
//   added tokens are cut out → NFC → added tokens that are looked for after it → the subword model
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "assay/data/added_tokens.h"
#include "assay/data/subword_model.h"
#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"

namespace assay::data {

struct Tokenizer::State {
  explicit State(TokenizerDefinition given);

  /// What stands before a text.
  struct TextPlace {
    StretchPlace stretch;
    bool follows_word = false;
  };
  /// Puts the tokens of UTF-8.
  void encode(std::string_view text, TextPlace place, TokenSink& sink) const;

  /// A stretch without added tokens that are cut out before normalisation.
  void encode_stretch(std::string_view stretch, int64_t offset, StretchPlace place, TokenSink& sink) const;
  void encode_normalized(std::string_view stretch, int64_t offset, StretchPlace place, TokenSink& sink) const;

  /// Whether the first token of a text carries a space that the text has not, and that after an added token.
  bool adds_space() const;
  bool adds_space_after_tokens() const;

  void check(int32_t id) const;
  bool is_in_model(int32_t id) const { return static_cast<size_t>(id) < definition.vocabulary.size(); }

  TokenizerDefinition definition;
  std::unique_ptr<SubwordModel> model;
  AddedTokens added;
  int32_t vocabulary_size;
  std::string hash;
};

/// Error(Data) if `text`, which begins at byte `offset` of a whole, is not UTF-8.
void require_text_utf8(std::string_view text, uint64_t offset);

}  // namespace assay::data
