// Text to token ids and back, for the kinds of tokenizer that language models have:
//   byte-level BPE       GPT-2, NeoX, Llama 3, Qwen 2, SmolLM2: a pattern cuts the text, bytes are merged by rank
//   within
//                        each piece
//   SentencePiece BPE    Llama 2, stories260K: spaces become "▁", unknown characters become their bytes
//   Unigram              "▁" likewise; of all ways to write a word, the most probable
//   word level           one token a word, the rest is <unk>
// read from a tokenizer.json (Hugging Face) or the metadata of a GGUF file. What a file asks for and Assay does not do
// is refused by its name, never ignored. Encoding is exact: ids are those of the reference implementation, and
// decode(encode(s)) == s for every valid UTF-8 text s (its NFC where the tokenizer normalises to it), except that
// SentencePiece files read "▁" as a space, that some put a space before a text only if none stands there, that unknown
// characters become <unk> where there are no bytes for them, and that word level keeps only the words. Cost O(n log n)
// in the longest piece, O(n) in the text. Text that is larger than memory: encode_stream.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::data {

class SubwordModel;
struct TokenizerDefinition;

/// A token and the bytes [begin, end) of the text that it stands for. A token may begin or end inside a UTF-8
/// character.
struct TokenSpan {
  int32_t id = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

struct DecodeOptions {
  bool keep_special = true;      ///< write <|im_end|> and the like, or leave them out
  bool is_continuation = false;  ///< the ids go on from others: keep the space that a text's first word would lose
};

/// Immutable and cheap to copy; every function may be called from many threads.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerDefinition definition);

  /// The ids of a text, without BOS. Throws Error(Data) if the text is not UTF-8.
  std::vector<int32_t> encode(std::string_view text) const;
  std::vector<TokenSpan> encode_with_spans(std::string_view text) const;

  /// The text of ids: raw bytes, which need not be whole UTF-8 characters if the ids were cut inside one.
  std::string decode(std::span<const int32_t> ids, DecodeOptions options = {}) const;
  /// What one token adds to a text, raw bytes; a word's token begins with its space.
  std::string token_text(int32_t id) const;

  int32_t vocabulary_size() const;
  bool is_special(int32_t id) const;
  /// The id of an added token such as "<|im_end|>".
  std::optional<int32_t> added_token(std::string_view content) const;
  std::optional<int32_t> bos() const;
  std::optional<int32_t> eos() const;
  /// Whether the tokenizer's own files put BOS before every text.
  bool adds_bos() const;
  const std::optional<std::string>& chat_template() const;

  /// "byte-level BPE, 49152 tokens".
  std::string description() const;
  /// 32 hex digits over everything that decides ids.
  const std::string& hash() const;
  const TokenizerDefinition& definition() const;

 private:
  friend class StreamEncoder;
  struct State;
  std::shared_ptr<const State> state_;
};

/// Reads a tokenizer from a tokenizer.json, a .gguf file, or a model folder that holds either (tokenizer_config.json
/// beside it is read too). Throws Error(Model) with the reason; the message names what Assay supports.
Tokenizer load_tokenizer(const std::string& path);

/// Throws Error(Model) if the tokenizer has ids that a model of `model_vocabulary` tokens does not embed.
void require_tokenizer_fits(const Tokenizer& tokenizer, int64_t model_vocabulary);

/// One token a word; `words` are the ids 0..n-1 and hold `unknown`. Texts are cut at white space.
Tokenizer word_level_tokenizer(const std::vector<std::string>& words, const std::string& unknown);

/// Writes tokenizer.json and tokenizer_config.json in the Hugging Face layout; load_tokenizer gives the same hash.
void save_tokenizer(const Tokenizer& tokenizer, const std::string& folder);

}  // namespace assay::data
