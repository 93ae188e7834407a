// Added tokens (<|im_start|>, <s>): cut out of the text before normalisation and before anything else, or, those that
// files mark as normalized, out of what normalisation leaves between the others; at each place the longest that begins
// there. A token may ask to stand alone (single_word) or take the white space around it (lstrip, rstrip).
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "assay/data/tokenizer_definition.h"

namespace assay::data {

/// Finds the tokens of one of the two kinds.
class AddedTokenMatcher {
 public:
  /// What is looked for is each token's content.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);
  AddedTokenMatcher(const AddedTokenMatcher&) = delete;
  AddedTokenMatcher& operator=(const AddedTokenMatcher&) = delete;

  bool empty() const { return tokens_.empty(); }
  /// Bytes of the longest token, 0 where there is none.
  size_t longest() const { return longest_; }

  /// Where a token's content stands; white space around it and words that it touches do not matter here.
  struct Match {
    size_t begin = 0;
    size_t end = 0;
    const AddedToken* token = nullptr;  // null: none in the rest of the text
  };
  Match find(std::string_view text, size_t from) const;

 private:
  std::vector<AddedToken> tokens_;
  size_t longest_ = 0;
  std::unordered_map<std::string_view, size_t> place_by_content_;  // views into tokens_
  std::array<std::vector<size_t>, 256> lengths_;                   // by first byte: of its tokens, longest first
  std::bitset<256> is_token_;                                      // by byte: the token of it alone
  std::bitset<65536> begins_token_;                                // by the first two bytes
};

/// Walks through a text, giving in order the tokens in it and what lies between them.
class AddedTokenScan {
 public:
  /// `follows_word`: a word character stands before the text.
  AddedTokenScan(const AddedTokenMatcher& matcher, std::string_view text, bool follows_word = false)
      : matcher_(matcher), text_(text), follows_word_(follows_word) {}

  struct Part {
    size_t begin = 0;
    size_t end = 0;
    const AddedToken* token = nullptr;  // null: text that holds none
  };
  /// False at the end of the text.
  bool next(Part& part);

 private:
  bool touches_word(const AddedTokenMatcher::Match& match) const;

  const AddedTokenMatcher& matcher_;
  std::string_view text_;
  bool follows_word_;
  size_t searched_ = 0;  // tokens that begin before it have been found
  size_t done_ = 0;      // what has been given
  Part held_;            // found, after a part that comes first
};

/// All added tokens of a tokenizer. Its matchers point into themselves: neither copied nor moved.
class AddedTokens {
 public:
  /// `normalize` is applied to the contents of normalized tokens, as it is to the text in which they are looked for.
  AddedTokens(const std::vector<AddedToken>& tokens, const std::function<std::string(const std::string&)>& normalize);
  AddedTokens(const AddedTokens&) = delete;
  AddedTokens& operator=(const AddedTokens&) = delete;

  const AddedTokenMatcher& before_normalization() const { return plain_; }
  const AddedTokenMatcher& after_normalization() const { return normalized_; }

  const AddedToken* by_id(int32_t id) const;
  const AddedToken* by_content(std::string_view content) const;

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, size_t> place_by_id_;
  std::unordered_map<std::string_view, size_t> place_by_content_;
  AddedTokenMatcher plain_;
  AddedTokenMatcher normalized_;
};

}  // namespace assay::data
