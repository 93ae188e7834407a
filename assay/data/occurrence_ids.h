// Ids from content and occurrence: the second of two identical contents gets another id than the first, and neither
// depends on what stands between them.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "assay/core/hash.h"
#include "assay/data/dataset.h"

namespace assay::data {

class OccurrenceIds {
 public:
  /// The id of the next example or document, whose content hashes to `content`.
  ExampleId next(uint64_t content) { return Hasher().add(content).add(seen_[content]++).digest64(); }

 private:
  std::unordered_map<uint64_t, uint64_t> seen_;  // content → how often it came
};

}  // namespace assay::data
