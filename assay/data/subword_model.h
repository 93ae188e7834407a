// How a stretch of text that holds no added token becomes tokens: the part in which the kinds of tokenizer differ.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assay/data/tokenizer.h"
#include "assay/data/tokenizer_definition.h"

namespace assay::data {

class SubwordModel {
 public:
  virtual ~SubwordModel() = default;

  /// Appends the tokens of `text` (UTF-8, not empty), which begins at byte `offset` of the whole.
  virtual void encode(std::string_view text, int64_t offset, std::vector<TokenSpan>& tokens) const = 0;

  /// The bytes that a token stands for.
  virtual std::string token_text(int32_t id) const = 0;

  /// Whether the first token of a stretch carries a space that the text has not.
  virtual bool adds_space() const = 0;
};

std::unique_ptr<SubwordModel> make_byte_level_bpe(const TokenizerDefinition& definition);
std::unique_ptr<SubwordModel> make_sentencepiece_bpe(const TokenizerDefinition& definition);
std::unique_ptr<SubwordModel> make_word_level(const TokenizerDefinition& definition);

}  // namespace assay::data
