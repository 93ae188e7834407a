// Where tokens go as they are found: their ids alone, which most callers want and which a cache of words can give, or
// with the bytes of the text that they stand for.
#pragma once

#include <span>
#include <vector>

#include "assay/data/tokenizer.h"

namespace assay::data {

class TokenSink {
 public:
  explicit TokenSink(std::vector<int32_t>& ids) : ids_(&ids) {}
  explicit TokenSink(std::vector<TokenSpan>& spans) : spans_(&spans) {}

  bool wants_spans() const { return spans_ != nullptr; }
  std::vector<TokenSpan>& spans() { return *spans_; }

  void put(int32_t id, int64_t begin, int64_t end) {
    if (spans_ == nullptr) {
      ids_->push_back(id);
    } else {
      spans_->push_back({id, begin, end});
    }
  }
  /// Only where no spans are wanted.
  void put(std::span<const int32_t> ids) { ids_->insert(ids_->end(), ids.begin(), ids.end()); }

 private:
  std::vector<int32_t>* ids_ = nullptr;
  std::vector<TokenSpan>* spans_ = nullptr;
};

}  // namespace assay::data
