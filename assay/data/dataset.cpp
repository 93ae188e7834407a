#include "assay/data/dataset.h"

#include <algorithm>
#include <array>

#include "assay/core/error.h"
#include "assay/core/hash.h"
#include "assay/core/twin.h"
#include "assay/data/occurrence_ids.h"

namespace assay::data {
namespace {

/// Token ids are hashed as 32-bit numbers, however they lie.
void add_tokens(Hasher& hasher, const TokenView& tokens) {
  hasher.add(static_cast<uint64_t>(tokens.size()));
  std::array<int32_t, 256> ids;
  for (size_t from = 0; from < tokens.size(); from += ids.size()) {
    const size_t count = std::min(ids.size(), tokens.size() - from);
    std::copy_n(tokens.begin() + static_cast<std::ptrdiff_t>(from), count, ids.begin());
    hasher.add(std::as_bytes(std::span(ids).first(count)));
  }
}

void add_numbers(Hasher& hasher, std::span<const float> values) {
  hasher.add(static_cast<uint64_t>(values.size()));
  hasher.add(std::as_bytes(values));
}

}  // namespace

uint64_t content_of(const ExampleView& example) {
  Hasher hasher;
  add_tokens(hasher, example.tokens);
  hasher.add(static_cast<uint64_t>(example.first_counted));
  add_numbers(hasher, example.features);
  hasher.add(static_cast<uint64_t>(example.label));
  add_numbers(hasher, example.values);
  return hasher.digest64();
}

int64_t Dataset::tokens() const {
  int64_t total = 0;
  for (const ExampleView example : examples) total += static_cast<int64_t>(example.tokens.size());
  return total;
}

int64_t Dataset::units(std::span<const int64_t> rows) const {
  int64_t total = 0;
  for (const int64_t row : rows) total += units(row);
  return total;
}

int64_t Dataset::longest() const {
  size_t longest = 0;
  for (const ExampleView example : examples) longest = std::max(longest, example.tokens.size());
  return static_cast<int64_t>(longest);
}

std::string Dataset::content_hash() const {
  Hasher hasher;
  for (const ExampleView example : examples) hasher.add(example.id);
  return hasher.digest128();
}

void assign_ids(Dataset& dataset) {
  OccurrenceIds ids;
  for (Example& example : dataset.examples) {
    const uint64_t content = content_of(example);
    example.id = ASSAY_TWIN("data.id_without_occurrence") ? content : ids.next(content);
  }
}

Dataset subset(const Dataset& dataset, std::span<const int64_t> indices) {
  return {.examples = dataset.examples.chosen(indices)};
}

}  // namespace assay::data
