#include "assay/data/added_tokens.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "assay/core/twin.h"
#include "assay/data/unicode_classes.h"

namespace assay::data {
namespace {

size_t byte_at(std::string_view text, size_t at) {
  return static_cast<uint8_t>(text[at]);
}

std::vector<AddedToken> matched_tokens(const std::vector<AddedToken>& tokens, bool normalized,
                                       const std::function<std::string(const std::string&)>& normalize) {
  std::vector<AddedToken> matched;
  for (const AddedToken& token : tokens) {
    if (token.normalized != normalized) continue;
    matched.push_back(token);
    if (normalized) matched.back().content = normalize(token.content);
  }
  return matched;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t place = 0; place < tokens_.size(); ++place) {
    const std::string_view content = tokens_[place].content;
    if (!place_by_content_.emplace(content, place).second) continue;  // of equals the first counts
    longest_ = std::max(longest_, content.size());
    lengths_[byte_at(content, 0)].push_back(content.size());
    if (content.size() == 1) {
      is_token_.set(byte_at(content, 0));
    } else {
      begins_token_.set(byte_at(content, 0) << 8 | byte_at(content, 1));
    }
  }
  for (std::vector<size_t>& lengths : lengths_) {
    std::sort(lengths.begin(), lengths.end(), std::greater<>());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    if (ASSAY_TWIN("data.added_tokens_shortest_first")) std::reverse(lengths.begin(), lengths.end());
  }
}

AddedTokenMatcher::Match AddedTokenMatcher::find(std::string_view text, size_t from) const {
  if (tokens_.empty()) return {text.size(), text.size(), nullptr};
  for (size_t begin = from; begin < text.size(); ++begin) {
    const size_t first = byte_at(text, begin);
    if (lengths_[first].empty()) continue;
    const bool may_begin =
        is_token_[first] || (begin + 1 < text.size() && begins_token_[first << 8 | byte_at(text, begin + 1)]);
    if (!may_begin) continue;
    for (const size_t length : lengths_[first]) {
      if (begin + length > text.size()) continue;
      const auto found = place_by_content_.find(text.substr(begin, length));
      if (found != place_by_content_.end()) return {begin, begin + length, &tokens_[found->second]};
    }
  }
  return {text.size(), text.size(), nullptr};
}

bool AddedTokenScan::touches_word(const AddedTokenMatcher::Match& match) const {
  const UnicodeClasses& classes = UnicodeClasses::get();
  const bool before = match.begin == 0
                          ? follows_word_
                          : (classes.at(text_, character_before(text_, match.begin)) & kWordCharacter) != 0;
  return before || (match.end < text_.size() && (classes.at(text_, match.end) & kWordCharacter) != 0);
}

bool AddedTokenScan::next(Part& part) {
  if (held_.token != nullptr) {
    part = std::exchange(held_, {});
    done_ = part.end;
    return true;
  }
  for (;;) {
    const AddedTokenMatcher::Match match = matcher_.find(text_, searched_);
    if (match.token == nullptr) break;
    searched_ = match.end;
    if (match.token->single_word && !ASSAY_TWIN("data.single_word_ignored") && touches_word(match)) continue;
    const UnicodeClasses& classes = UnicodeClasses::get();
    Part found{match.begin, match.end, match.token};
    if (match.token->takes_left && !ASSAY_TWIN("data.lstrip_ignored")) {
      found.begin = std::max(done_, classes.white_space_begin(text_, match.begin));
    }
    if (match.token->takes_right && !ASSAY_TWIN("data.rstrip_ignored")) {
      found.end = classes.white_space_end(text_, match.end);
    }
    if (done_ >= found.begin) {
      part = found;
      done_ = found.end;
      return true;
    }
    part = {done_, found.begin, nullptr};
    held_ = found;
    return true;
  }
  if (done_ >= text_.size()) return false;
  part = {done_, text_.size(), nullptr};
  done_ = text_.size();
  return true;
}

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens,
                         const std::function<std::string(const std::string&)>& normalize)
    : tokens_(tokens),
      plain_(matched_tokens(tokens, false, normalize)),
      normalized_(matched_tokens(tokens, true, normalize)) {
  for (size_t place = 0; place < tokens_.size(); ++place) {
    place_by_id_.emplace(tokens_[place].id, place);
    place_by_content_.emplace(tokens_[place].content, place);
  }
}

const AddedToken* AddedTokens::by_id(int32_t id) const {
  const auto found = place_by_id_.find(id);
  return found == place_by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::by_content(std::string_view content) const {
  const auto found = place_by_content_.find(content);
  return found == place_by_content_.end() ? nullptr : &tokens_[found->second];
}

}  // namespace assay::data
