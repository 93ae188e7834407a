// Ids from content and occurrence: the second of two identical contents gets another id than the first, and neither
// depends on what stands between them. Memory: 12 bytes a slot in a table that is between a third and two thirds full,
// so 18 to 36 a content that differs from all others, half as much again while the table grows.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "assay/core/hash.h"
#include "assay/data/examples.h"

namespace assay::data {

class OccurrenceIds {
 public:
  /// The id of the next example or document, whose content hashes to `content`.
  ExampleId next(uint64_t content) {
    if (3 * (used_ + 1) > 2 * contents_.size()) grow();
    const size_t place = place_of(content);
    if (counts_[place] == 0) {
      contents_[place] = content;
      ++used_;
    }
    return Hasher().add(content).add(uint64_t{counts_[place]++}).digest64();
  }

 private:
  /// Of the content, or of the free slot where it would stand. Contents are hashes: their low bits are spread.
  size_t place_of(uint64_t content) const {
    const size_t mask = contents_.size() - 1;
    size_t place = static_cast<size_t>(content) & mask;
    while (counts_[place] != 0 && contents_[place] != content) place = (place + 1) & mask;
    return place;
  }

  void grow() {
    const std::vector<uint64_t> contents = std::exchange(contents_, {});
    const std::vector<uint32_t> counts = std::exchange(counts_, {});
    contents_.resize(contents.empty() ? 64 : 2 * contents.size());
    counts_.resize(contents_.size());
    for (size_t i = 0; i < contents.size(); ++i) {
      if (counts[i] == 0) continue;
      const size_t place = place_of(contents[i]);
      contents_[place] = contents[i];
      counts_[place] = counts[i];
    }
  }

  std::vector<uint64_t> contents_;
  std::vector<uint32_t> counts_;  // how often each came; 0: the slot is free
  size_t used_ = 0;
};

}  // namespace assay::data
