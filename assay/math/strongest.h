// The strongest few of a long stream of numbers, in memory for those few: a heap a stream. O(n) comparisons with the
// weakest that is kept, and log k for each of the few that beat it. Exact; equal numbers stay in the order in which
// they came.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace assay::math {

class Strongest {
 public:
  struct Entry {
    double value = 0;
    int64_t place = 0;  ///< in the stream
  };

  /// Keeps the `count` largest, or the smallest.
  explicit Strongest(int64_t count, bool largest = true)
      : count_(static_cast<size_t>(count)), sign_(largest ? 1.0 : -1.0) {}

  /// The next numbers of the stream, the first of which stands at `place`.
  template <typename Number>
  void add(std::span<const Number> values, int64_t place) {
    if (count_ == 0) return;
    for (size_t i = 0; i < values.size(); ++i) {
      const double value = sign_ * static_cast<double>(values[i]);
      // Later places lose against equals, so that only more is more.
      if (heap_.size() == count_ && !(value > heap_.front().value)) continue;
      if (heap_.size() == count_) {
        std::ranges::pop_heap(heap_, is_before);
        heap_.pop_back();
      }
      heap_.push_back({value, place + static_cast<int64_t>(i)});
      std::ranges::push_heap(heap_, is_before);
    }
  }

  /// Strongest first.
  std::vector<Entry> sorted() const {
    std::vector<Entry> entries = heap_;
    std::ranges::sort(entries, is_before);
    for (Entry& entry : entries) entry.value *= sign_;
    return entries;
  }

 private:
  static bool is_before(const Entry& a, const Entry& b) {
    return a.value != b.value ? a.value > b.value : a.place < b.place;
  }

  size_t count_;
  double sign_;
  std::vector<Entry> heap_;  // the weakest on top
};

}  // namespace assay::math
