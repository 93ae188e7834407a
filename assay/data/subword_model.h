// How a stretch of text that holds no added token becomes tokens: the part in which the kinds of tokenizer differ.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "assay/data/token_sink.h"
#include "assay/data/tokenizer_definition.h"

namespace assay::data {

inline constexpr int32_t kNoToken = -1;

/// What stands before a stretch.
struct StretchPlace {
  bool begins_text = true;     ///< nothing
  bool begins_stretch = true;  ///< nothing or an added token; otherwise the stretch goes on from earlier text
};

class SubwordModel {
 public:
  virtual ~SubwordModel() = default;

  /// Puts the tokens of `text` (UTF-8, not empty), which begins at byte `offset` of the whole.
  virtual void encode(std::string_view text, int64_t offset, StretchPlace place, TokenSink& sink) const = 0;

  /// The bytes that a token stands for.
  virtual std::string token_text(int32_t id) const = 0;

  /// Whether, wherever a space follows what is no white space, the tokens before do not depend on what follows, nor
  /// those after on what went before: there a text may be cut and its parts encoded one by one.
  virtual bool cuts_before_spaces() const = 0;
};

std::unique_ptr<SubwordModel> make_byte_level_bpe(const TokenizerDefinition& definition);
std::unique_ptr<SubwordModel> make_sentencepiece_bpe(const TokenizerDefinition& definition);
std::unique_ptr<SubwordModel> make_word_level(const TokenizerDefinition& definition);
std::unique_ptr<SubwordModel> make_unigram(const TokenizerDefinition& definition);

}  // namespace assay::data
