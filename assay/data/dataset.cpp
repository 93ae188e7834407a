#include "assay/data/dataset.h"

#include <algorithm>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/data/occurrence_ids.h"

namespace assay::data {
namespace {

template <typename T>
void add_array(Hasher& hasher, const std::vector<T>& values) {
  hasher.add(static_cast<uint64_t>(values.size()));
  hasher.add(std::as_bytes(std::span(values)));
}

uint64_t hash_content(const Example& example) {
  Hasher hasher;
  add_array(hasher, example.tokens);
  hasher.add(static_cast<uint64_t>(example.first_counted));
  add_array(hasher, example.features);
  hasher.add(static_cast<uint64_t>(example.label));
  add_array(hasher, example.values);
  return hasher.digest64();
}

}  // namespace

int64_t Dataset::tokens() const {
  int64_t total = 0;
  for (const Example& example : examples) total += static_cast<int64_t>(example.tokens.size());
  return total;
}

int64_t Dataset::longest() const {
  size_t longest = 0;
  for (const Example& example : examples) longest = std::max(longest, example.tokens.size());
  return static_cast<int64_t>(longest);
}

std::string Dataset::content_hash() const {
  Hasher hasher;
  for (const Example& example : examples) hasher.add(example.id);
  return hasher.digest128();
}

void assign_ids(Dataset& dataset) {
  OccurrenceIds ids;
  for (Example& example : dataset.examples) {
    const uint64_t content = hash_content(example);
    example.id = ASSAY_TWIN("data.id_without_occurrence") ? content : ids.next(content);
  }
}

Dataset subset(const Dataset& dataset, std::span<const int64_t> indices) {
  Dataset chosen;
  chosen.examples.reserve(indices.size());
  for (const int64_t index : indices) {
    ASSAY_ASSERT(index >= 0 && index < dataset.size());
    chosen.examples.push_back(dataset.examples[static_cast<size_t>(index)]);
  }
  return chosen;
}

}  // namespace assay::data
