// A hash table from 64-bit keys to 32-bit values in one flat array with linear probing, filled once and read often: one
// cache line a look-up where std::unordered_map takes three.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "assay/core/error.h"

namespace assay::data {

class FlatTable {
 public:
  /// Room for `count` keys at half load.
  explicit FlatTable(size_t count) : slots_(std::bit_ceil(2 * count + 2)), mask_(slots_.size() - 1) {}

  /// Sets the value (>= 0) of a key; a key that is there keeps its place and takes the new value.
  void set(uint64_t key, int32_t value) {
    ASSAY_ASSERT(value >= 0);
    Slot& slot = slots_[place_of(key)];
    slot = {key, value};
  }

  /// The value of a key, or -1.
  int32_t get(uint64_t key) const { return slots_[place_of(key)].value; }

 private:
  struct Slot {
    uint64_t key = 0;
    int32_t value = -1;  // -1: empty
  };

  size_t place_of(uint64_t key) const {
    // The multiplier is 2^64 / golden ratio: consecutive keys, such as pairs of token ids, land far apart.
    size_t place = static_cast<size_t>((key * 0x9E3779B97F4A7C15ull) >> 20) & mask_;
    while (slots_[place].value >= 0 && slots_[place].key != key) place = (place + 1) & mask_;
    return place;
  }

  std::vector<Slot> slots_;
  size_t mask_;
};

}  // namespace assay::data
