// Added tokens (<|im_start|>, <s>): cut out of the text before normalisation and before anything else, at each place
// the longest that begins there.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "assay/data/tokenizer_definition.h"

namespace assay::data {

class AddedTokens {
 public:
  explicit AddedTokens(std::vector<AddedToken> tokens);

  struct Match {
    size_t begin = 0;
    const AddedToken* token = nullptr;  // null: none in the rest of the text
  };
  /// The first added token at or after `from`.
  Match find(std::string_view text, size_t from) const;

  const AddedToken* by_id(int32_t id) const;
  const AddedToken* by_content(std::string_view content) const;

 private:
  std::vector<AddedToken> tokens_;                   // longest first
  std::array<bool, 256> begins_token_{};             // by first byte
  std::unordered_map<int32_t, size_t> place_by_id_;  // in tokens_
};

}  // namespace assay::data
