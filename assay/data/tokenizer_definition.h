// What a tokenizer file says, before a tokenizer is built from it: the one form into which tokenizer.json and GGUF
// metadata are read, which is hashed, and which is written again. Tokens stand as the files spell them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "assay/data/bpe_merges.h"
#include "assay/data/pretokenize.h"

namespace assay::data {

enum class TokenizerKind { ByteLevelBpe, SentencePieceBpe, WordLevel, Unigram };

/// A token that is cut out of the text before anything else happens to it.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = true;       ///< a mark such as <|im_end|>, not text
  bool takes_left = false;   ///< white space before it belongs to it (lstrip)
  bool takes_right = false;  ///< white space after it belongs to it (rstrip)
  bool single_word = false;  ///< only where no word character touches it
  bool normalized = false;   ///< looked for after normalisation, between the others
};

/// Where SentencePiece tokenizers put a space that the text has not.
enum class AddedSpace {
  EveryStretch,  ///< before the text and after each added token
  WhereMissing,  ///< the same, except before a space
  FirstStretch,  ///< before the text, if it does not begin with a space or an added token
  Never,
};

struct TokenizerDefinition {
  TokenizerKind kind = TokenizerKind::ByteLevelBpe;
  std::string source;                   ///< the file, for messages
  std::vector<std::string> vocabulary;  ///< by id; "" where an id is unused
  std::vector<BpeMerge> merges;         ///< by rank
  std::vector<AddedToken> added_tokens;
  std::vector<SplitRule> split_rules;  ///< byte-level and word level: how the text is cut into pieces
  std::optional<int32_t> unknown;      ///< the token of what the vocabulary lacks
  bool fuses_unknown = false;          ///< SentencePiece: a run of unknown characters is one token
  bool ignores_merges = false;         ///< byte-level: a piece that is in the vocabulary is taken whole
  bool normalizes_to_nfc = false;
  AddedSpace added_space = AddedSpace::EveryStretch;  ///< SentencePiece and Unigram
  bool cuts_words = false;                            ///< SentencePiece and Unigram: no token goes on over a space
  std::vector<double> log_probabilities;              ///< Unigram: by id
  bool falls_back_to_bytes = false;                   ///< Unigram: what the vocabulary lacks becomes its bytes
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  bool adds_bos = false;
  std::optional<std::string> chat_template;
};

/// The id of a token, added or not, by its spelling.
std::optional<int32_t> id_of_token(const TokenizerDefinition& definition, std::string_view spelling);

/// The spelling of a token, added or not.
const std::string& spelling_of_token(const TokenizerDefinition& definition, int32_t id);

/// id by token, over the definition's own strings. Throws Error(Model) if a token stands twice.
std::unordered_map<std::string_view, int32_t> ids_by_token(const std::vector<std::string>& vocabulary,
                                                           const std::string& source);

/// Resolves merges written as pairs of tokens. Throws Error(Model) naming the merge whose parts or whole are no tokens.
std::vector<BpeMerge> resolve_merges(const std::vector<std::pair<std::string, std::string>>& pairs,
                                     const std::vector<std::string>& vocabulary, const std::string& source);

}  // namespace assay::data
