// Unigram (SentencePiece): of all ways to write a word as tokens, the one whose log-probabilities have the greatest
// sum, found by Viterbi's algorithm over the bytes of the word, "▁" in place of spaces. Exact; O(n · longest token).
//
//   best(e) = max over tokens w that end at e of  best(e - |w|) + log p(w)
//
// A character that no token equals may also be unknown, 10 below the least log-probability of the vocabulary. Equal
// sums go to the token that begins first. Unknown characters in a row are one token, or the tokens of their bytes where
// the file asks for byte fallback. Source: Kudo, arXiv 1804.10959; the rules about ties and unknowns are those of the
// reference implementation.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/data/byte_fallback.h"
#include "assay/data/flat_table.h"
#include "assay/data/marked_words.h"
#include "assay/data/space_mark.h"
#include "assay/data/unicode_classes.h"
#include "assay/data/word_cache.h"

namespace assay::data {
namespace {

constexpr double kUnknownPenalty = 10;

/// The vocabulary as a tree of bytes.
class TokenTree {
 public:
  explicit TokenTree(const std::vector<std::string>& vocabulary) : children_(bytes_of(vocabulary)) {
    token_.push_back(kNoToken);
    for (size_t id = 0; id < vocabulary.size(); ++id) {
      if (vocabulary[id].empty()) continue;
      int32_t node = 0;
      for (const char byte : vocabulary[id]) {
        int32_t next = child(node, byte);
        if (next < 0) {
          next = static_cast<int32_t>(token_.size());
          children_.set(key(node, byte), next);
          token_.push_back(kNoToken);
        }
        node = next;
      }
      token_[static_cast<size_t>(node)] = static_cast<int32_t>(id);
    }
  }

  /// The node below another, or -1. The root is 0.
  int32_t child(int32_t node, char byte) const { return children_.get(key(node, byte)); }
  int32_t token(int32_t node) const { return token_[static_cast<size_t>(node)]; }

 private:
  static size_t bytes_of(const std::vector<std::string>& vocabulary) {
    size_t bytes = 0;
    for (const std::string& token : vocabulary) bytes += token.size();
    return bytes;
  }
  static uint64_t key(int32_t node, char byte) {
    return (uint64_t{static_cast<uint32_t>(node)} << 8) | static_cast<uint8_t>(byte);
  }

  FlatTable children_;
  std::vector<int32_t> token_;  // by node
};

class Unigram final : public SubwordModel {
 public:
  explicit Unigram(const TokenizerDefinition& definition)
      : vocabulary_(definition.vocabulary),
        ids_(ids_by_token(vocabulary_, definition.source)),
        tree_(vocabulary_),
        bytes_(vocabulary_),
        log_probabilities_(definition.log_probabilities),
        unknown_(definition.unknown.value_or(kNoToken)),
        falls_back_to_bytes_(definition.falls_back_to_bytes),
        added_space_(definition.added_space),
        word_cuts_(definition.cuts_words ? WordCuts::BeforeMarks : WordCuts::None) {
    ASSAY_ASSERT(log_probabilities_.size() == vocabulary_.size());
    const auto least = std::min_element(log_probabilities_.begin(), log_probabilities_.end());
    unknown_score_ = (least == log_probabilities_.end() ? 0 : *least) - kUnknownPenalty;
  }

  void encode(std::string_view text, int64_t offset, StretchPlace place, TokenSink& sink) const override {
    Work work;
    encode_marked_words(
        text, offset, puts_space(added_space_, place, text), word_cuts_, owner_, sink,
        [&](std::string_view word, bool has_space, WordTokens& tokens) { encode_word(word, has_space, work, tokens); });
  }

  std::string token_text(int32_t id) const override {
    return text_of_marked_token(vocabulary_[static_cast<size_t>(id)]);
  }
  /// Sums over a stretch that is not cut round by what went before, so that ties may fall otherwise.
  bool cuts_before_spaces() const override { return word_cuts_ != WordCuts::None; }

 private:
  /// The best way to write the bytes before a place: its sum, and its last token.
  struct Best {
    double sum = 0;
    int32_t id = kNoToken;
    uint32_t begin = kNowhere;
  };
  static constexpr uint32_t kNowhere = UINT32_MAX;

  /// Buffers that are kept from word to word.
  struct Work {
    std::string marked;            // the word with its marks
    std::vector<uint32_t> places;  // by byte of `marked`: the byte of the word after it
    std::vector<Best> best;        // by byte of `marked`, and one for its end
    std::vector<Best> path;        // from the end; a run of unknowns is one
  };

  void encode_word(std::string_view word, bool has_space, Work& work, WordTokens& tokens) const {
    ASSAY_ASSERT(word.size() < UINT32_MAX / 4);
    mark(word, has_space, work);
    find_best(work.marked, work.best);
    work.path.clear();
    for (auto end = static_cast<uint32_t>(work.marked.size()); end > 0;) {
      const Best& last = work.best[end];
      const bool goes_on = last.id == unknown_ && !work.path.empty() && work.path.back().id == unknown_;
      if (goes_on) {
        work.path.back().begin = last.begin;
      } else {
        work.path.push_back(last);
      }
      end = last.begin;
    }
    for (size_t i = work.path.size(); i-- > 0;) {
      const uint32_t end = i == 0 ? static_cast<uint32_t>(work.marked.size()) : work.path[i - 1].begin;
      put_token(work.path[i].id, work.path[i].begin, end, work, tokens);
    }
  }

  static void mark(std::string_view word, bool has_space, Work& work) {
    work.marked.clear();
    work.places.clear();
    if (has_space) {
      work.marked += kSpaceMark;
      work.places.assign(kSpaceMark.size(), 0);
    }
    for (size_t i = 0; i < word.size();) {
      const size_t next = i + utf8_length(word[i]);
      const std::string_view character = word[i] == ' ' ? kSpaceMark : word.substr(i, next - i);
      work.marked += character;
      for (size_t k = 0; k < character.size(); ++k) {
        work.places.push_back(static_cast<uint32_t>(std::min(next, i + k + 1)));
      }
      i = next;
    }
  }

  void find_best(std::string_view text, std::vector<Best>& best) const {
    best.assign(text.size() + 1, Best{});
    const auto offer = [&](size_t end, double sum, int32_t id, size_t begin) {
      const bool is_better = ASSAY_TWIN("data.unigram_later_ties") ? sum >= best[end].sum : sum > best[end].sum;
      if (best[end].begin == kNowhere || is_better) best[end] = {sum, id, static_cast<uint32_t>(begin)};
    };
    for (size_t begin = 0; begin < text.size();) {
      const size_t character_end = begin + utf8_length(text[begin]);
      bool is_token = false;
      size_t longest_end = character_end;
      int32_t node = 0;
      for (size_t end = begin; end < text.size();) {
        node = tree_.child(node, text[end++]);
        if (node < 0) break;
        const int32_t id = tree_.token(node);
        if (id == kNoToken) continue;
        offer(end, best[begin].sum + log_probabilities_[static_cast<size_t>(id)], id, begin);
        is_token |= end == character_end;
        longest_end = std::max(longest_end, end);
      }
      if (!is_token) {
        if (unknown_ == kNoToken) refuse_unknown(text.substr(begin, character_end - begin));
        offer(character_end, best[begin].sum + unknown_score_, unknown_, begin);
      }
      begin = ASSAY_TWIN("data.unigram_greedy") ? longest_end : character_end;
    }
  }

  void put_token(int32_t id, uint32_t begin, uint32_t end, const Work& work, WordTokens& tokens) const {
    const auto put = [&](int32_t token, uint32_t token_end) { tokens.put(token, work.places[token_end - 1]); };
    if (id != unknown_) return put(id, end);
    const std::string_view piece = std::string_view(work.marked).substr(begin, end - begin);
    if (const auto found = ids_.find(piece); found != ids_.end()) return put(found->second, end);
    if (!falls_back_to_bytes_ || !bytes_.covers(piece)) return put(unknown_, end);
    for (uint32_t i = begin; i < end; ++i) put(bytes_.id(work.marked[i]), i + 1);
  }

  [[noreturn]] static void refuse_unknown(std::string_view character) {
    throw Error(
        ErrorKind::Data,
        fmt::format("tokenizing a text: a Unigram vocabulary must hold every character of it or name an unknown "
                    "token, but it does neither for \"{}\"; remove that character from the text",
                    character));
  }

  const uint64_t owner_ = WordCache::new_owner();
  std::vector<std::string> vocabulary_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into vocabulary_
  TokenTree tree_;
  ByteFallback bytes_;
  std::vector<double> log_probabilities_;
  double unknown_score_ = 0;
  int32_t unknown_;
  bool falls_back_to_bytes_;
  AddedSpace added_space_;
  WordCuts word_cuts_;
};

}  // namespace

std::unique_ptr<SubwordModel> make_unigram(const TokenizerDefinition& definition) {
  return std::make_unique<Unigram>(definition);
}

}  // namespace assay::data
