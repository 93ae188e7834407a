#include "assay/data/added_tokens.h"

#include <algorithm>
#include <utility>

#include "assay/core/twin.h"

namespace assay::data {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) {
    return ASSAY_TWIN("data.added_tokens_shortest_first") ? a.content.size() < b.content.size()
                                                          : a.content.size() > b.content.size();
  });
  for (size_t place = 0; place < tokens_.size(); ++place) {
    begins_token_[static_cast<uint8_t>(tokens_[place].content.front())] = true;
    place_by_id_.emplace(tokens_[place].id, place);
  }
}

AddedTokens::Match AddedTokens::find(std::string_view text, size_t from) const {
  if (tokens_.empty()) return {text.size(), nullptr};
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!begins_token_[static_cast<uint8_t>(text[begin])]) continue;
    const std::string_view rest = text.substr(begin);
    const auto found = std::find_if(tokens_.begin(), tokens_.end(),
                                    [&](const AddedToken& token) { return rest.starts_with(token.content); });
    if (found != tokens_.end()) return {begin, &*found};
  }
  return {text.size(), nullptr};
}

const AddedToken* AddedTokens::by_id(int32_t id) const {
  const auto found = place_by_id_.find(id);
  return found == place_by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::by_content(std::string_view content) const {
  const auto found =
      std::find_if(tokens_.begin(), tokens_.end(), [&](const AddedToken& token) { return token.content == content; });
  return found == tokens_.end() ? nullptr : &*found;
}

}  // namespace assay::data
