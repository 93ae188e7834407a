// Encodes a text that is larger than memory, block by block, to exactly the ids that Tokenizer::encode gives for the
// whole. What has been read is cut where the whole would be cut, too, whatever follows, and the part before is encoded:
//
//   behind an added token that is looked for before normalisation (<|endoftext|>), or
//   before a space that follows what is no white space, where no added token touches the place: no piece of the known
//   pre-tokenizers goes on over it, none looks back beyond it, and NFC joins nothing to a space
//
// Memory: a window (1 MiB unless asked otherwise) and what follows its last cut. A stretch without a cut of more than
// 64 MiB is refused; so is, beyond that length, text of a tokenizer whose pattern Assay does not know or that has none
// (Unigram without word cuts), unless added tokens divide it. Time: as encode, and a search of each window.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "assay/data/added_tokens.h"
#include "assay/data/tokenizer.h"

namespace assay::data {

struct StreamOptions {
  size_t window = size_t{1} << 20;             ///< bytes that are gathered before a cut is looked for
  size_t most_without_cut = size_t{64} << 20;  ///< bytes in which a cut must come
};

class StreamEncoder {
 public:
  explicit StreamEncoder(Tokenizer tokenizer, StreamOptions options = {});

  /// Takes the next bytes of the text, which may end inside a character, and appends the ids that are certain. No BOS.
  /// Throws Error(Data), naming the byte of the whole text, where it is not UTF-8 or has no cut in too many bytes.
  void feed(std::string_view block, std::vector<int32_t>& ids);

  /// Ends the text: appends the ids of the rest. The encoder is then ready for another text.
  void finish(std::vector<int32_t>& ids);

 private:
  struct Cut {
    size_t place = 0;  // 0: none
    bool follows_token = false;
  };
  Cut find_cut() const;
  size_t find_word_cut(std::string_view stretch, size_t begin, size_t certain,
                       const std::vector<AddedTokenMatcher::Match>& matches) const;
  void encode_before(Cut cut, std::vector<int32_t>& ids);

  Tokenizer tokenizer_;
  StreamOptions options_;
  std::string text_;        // read and not yet encoded
  size_t checked_ = 0;      // bytes of it that are whole UTF-8 characters
  size_t next_search_ = 0;  // bytes of it before which no cut is looked for
  uint64_t encoded_ = 0;    // bytes before it
  bool begins_stretch_ = true;
  bool follows_word_ = false;
};

/// Reads a text until `read_block` returns 0, and gives its ids in order. `read_block` fills what it is given, in whole
/// or in part, and returns the bytes; `emit_ids` gets as many as were certain after a block, never none.
void encode_stream(const Tokenizer& tokenizer, const std::function<size_t(std::span<char>)>& read_block,
                   const std::function<void(std::span<const int32_t>)>& emit_ids, StreamOptions options = {});

}  // namespace assay::data
