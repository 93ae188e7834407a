#include "assay/data/bpe_merges.h"

#include <algorithm>
#include <queue>

#include "assay/core/error.h"
#include "assay/core/twin.h"

namespace assay::data {
namespace {

constexpr uint32_t kNoRank = UINT32_MAX;
constexpr size_t kScanAtMost = 48;  // above it the heap is faster

uint64_t pair_key(int32_t left, int32_t right) {
  return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
}

}  // namespace

BpeMerges::BpeMerges(std::span<const BpeMerge> merges) : ranks_(merges.size()) {
  results_.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    const size_t rank = ASSAY_TWIN("data.merge_ranks_reversed") ? merges.size() - 1 - i : i;
    ranks_.set(pair_key(merges[rank].left, merges[rank].right), static_cast<int32_t>(i));
    results_.push_back(merges[rank].result);
  }
}

uint32_t BpeMerges::rank(int32_t left, int32_t right) const {
  return static_cast<uint32_t>(ranks_.get(pair_key(left, right)));  // -1 becomes kNoRank
}

void BpeMerges::apply(std::vector<Symbol>& symbols) const {
  if (symbols.size() <= kScanAtMost) {
    apply_by_scanning(symbols);
  } else {
    apply_by_heap(symbols);
  }
}

void BpeMerges::apply_by_scanning(std::vector<Symbol>& symbols) const {
  if (symbols.size() < 2) return;
  thread_local std::vector<uint32_t> pair_ranks;  // of (i, i+1); kept, since pieces come by the million
  pair_ranks.resize(symbols.size() - 1);
  for (size_t i = 0; i + 1 < symbols.size(); ++i) pair_ranks[i] = rank(symbols[i].id, symbols[i + 1].id);
  while (!pair_ranks.empty()) {
    const auto lowest = std::min_element(pair_ranks.begin(), pair_ranks.end());  // the leftmost of equals
    if (*lowest == kNoRank) return;
    const auto i = static_cast<size_t>(lowest - pair_ranks.begin());
    symbols[i] = {results_[*lowest], symbols[i + 1].end};
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(i) + 1);
    pair_ranks.erase(lowest);
    if (i > 0) pair_ranks[i - 1] = rank(symbols[i - 1].id, symbols[i].id);
    if (i + 1 < symbols.size()) pair_ranks[i] = rank(symbols[i].id, symbols[i + 1].id);
  }
}

void BpeMerges::apply_by_heap(std::vector<Symbol>& symbols) const {
  constexpr uint32_t kNone = UINT32_MAX;
  ASSAY_ASSERT(symbols.size() < kNone);
  const auto count = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> previous(count), next(count);
  for (uint32_t i = 0; i < count; ++i) {
    previous[i] = i == 0 ? kNone : i - 1;
    next[i] = i + 1 == count ? kNone : i + 1;
  }

  struct Candidate {
    uint32_t rank, place;       // place of the left symbol
    int32_t left_id, right_id;  // as they were: a candidate whose symbols have changed since is stale
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto offer = [&](uint32_t left) {
    if (left == kNone || next[left] == kNone) return;
    const int32_t left_id = symbols[left].id, right_id = symbols[next[left]].id;
    if (const uint32_t r = rank(left_id, right_id); r != kNoRank) heap.push({r, left, left_id, right_id});
  };
  for (uint32_t i = 0; i < count; ++i) offer(i);

  constexpr int32_t kMerged = -1;  // the id of a symbol that its left neighbour has swallowed
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    const uint32_t left = best.place, right = next[left];
    if (right == kNone || symbols[left].id != best.left_id || symbols[right].id != best.right_id) continue;
    symbols[left] = {results_[best.rank], symbols[right].end};
    symbols[right].id = kMerged;
    next[left] = next[right];
    if (next[right] != kNone) previous[next[right]] = left;
    offer(left);
    offer(previous[left]);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.id == kMerged; });
}

}  // namespace assay::data
