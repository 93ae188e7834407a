#include "assay/data/word_cache.h"

#include <algorithm>
#include <atomic>

#include "assay/core/twin.h"

namespace assay::data {

WordCache& WordCache::of_this_thread() {
  thread_local WordCache cache;
  return cache;
}

uint64_t WordCache::new_owner() {
  static std::atomic<uint64_t> owners = 0;
  return ASSAY_TWIN("data.words_of_all_tokenizers") ? 1 : ++owners;
}

void WordCache::Place::keep(uint64_t of_owner, std::string_view text, std::span<const int32_t> tokens) {
  if (text.size() > kMostBytes || tokens.size() > kMostTokens) return;
  owner = of_owner;
  bytes = static_cast<uint8_t>(text.size());
  count = static_cast<uint32_t>(tokens.size());
  std::copy(text.begin(), text.end(), word);
  std::copy(tokens.begin(), tokens.end(), ids);
}

}  // namespace assay::data
