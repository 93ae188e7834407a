// The walk over a stretch that SentencePiece BPE and Unigram share: word by word, those met before from the cache of
// this thread, the others by the tokenizer's own rule. Where spans are wanted, or a space is put before a word, the
// cache is left alone: it knows tokens only, and of words as they stand in the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "assay/data/space_mark.h"
#include "assay/data/token_sink.h"
#include "assay/data/word_cache.h"

namespace assay::data {

/// The tokens of a word, each with the byte of the word where it ends.
struct WordTokens {
  std::vector<int32_t> ids;
  std::vector<uint32_t> ends;

  void clear() {
    ids.clear();
    ends.clear();
  }
  void put(int32_t id, uint32_t end) {
    ids.push_back(id);
    ends.push_back(end);
  }
};

/// Puts the tokens of `text`, which begins at byte `offset` of the whole. `encode_word(word, has_space, tokens)` puts
/// those of one word into empty `tokens`; `owner` is the tokenizer's number in the cache.
template <class EncodeWord>
void encode_marked_words(std::string_view text, int64_t offset, bool has_space, WordCuts cuts, uint64_t owner,
                         TokenSink& sink, const EncodeWord& encode_word) {
  WordTokens tokens;
  WordCache& cache = WordCache::of_this_thread();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = word_end(text, begin, cuts);
    const std::string_view word = text.substr(begin, end - begin);
    const bool is_cached = !has_space && !sink.wants_spans() && word.size() <= WordCache::kMostBytes;
    WordCache::Place* const kept = is_cached ? &cache.place_of(word) : nullptr;
    if (kept != nullptr && kept->holds(owner, word)) {
      sink.put(kept->tokens());
    } else {
      tokens.clear();
      encode_word(word, has_space, tokens);
      int64_t from = offset + static_cast<int64_t>(begin);
      for (size_t i = 0; i < tokens.ids.size(); ++i) {
        const int64_t to = offset + static_cast<int64_t>(begin + tokens.ends[i]);
        sink.put(tokens.ids[i], from, to);
        from = to;
      }
      if (kept != nullptr) kept->keep(owner, word, tokens.ids);
    }
    has_space = false;
    begin = end;
  }
}

}  // namespace assay::data
