#include "assay/data/tokenize_batch.h"

#include <ATen/Parallel.h>

namespace assay::data {

std::vector<std::vector<int32_t>> tokenize_batch(const Tokenizer& tokenizer, std::span<const std::string> texts) {
  std::vector<std::vector<int32_t>> tokens(texts.size());
  at::parallel_for(0, std::ssize(texts), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) tokens[i] = tokenizer.encode(texts[i]);
  });
  return tokens;
}

}  // namespace assay::data
