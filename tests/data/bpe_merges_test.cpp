#include "assay/data/bpe_merges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::data {
namespace {

/// The definition, word for word: the lowest rank among all adjacent pairs, leftmost first, until none is left.
std::vector<Symbol> merge_naively(std::vector<Symbol> symbols, const std::vector<BpeMerge>& merges) {
  for (;;) {
    size_t best_rank = merges.size(), best_place = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      for (size_t rank = 0; rank < best_rank; ++rank) {
        if (merges[rank].left == symbols[i].id && merges[rank].right == symbols[i + 1].id) {
          best_rank = rank;
          best_place = i;
        }
      }
    }
    if (best_rank == merges.size()) return symbols;
    symbols[best_place] = {merges[best_rank].result, symbols[best_place + 1].end};
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best_place) + 1);
  }
}

/// Merges that build upon each other: letters 0-3, each new token from two that are there.
std::vector<BpeMerge> random_merges(uint64_t seed) {
  std::vector<BpeMerge> merges;
  std::map<std::pair<int32_t, int32_t>, bool> seen;
  for (uint64_t i = 0; merges.size() < 40; ++i) {
    const auto tokens = 4 + merges.size();
    const auto left = static_cast<int32_t>(random_below(tokens, seed, 1, i));
    const auto right = static_cast<int32_t>(random_below(tokens, seed, 2, i));
    if (seen.emplace(std::pair(left, right), true).second)
      merges.push_back({left, right, static_cast<int32_t>(tokens)});
  }
  return merges;
}

std::vector<Symbol> random_symbols(uint64_t seed, uint32_t length) {
  std::vector<Symbol> symbols;
  for (uint32_t i = 0; i < length; ++i) symbols.push_back({static_cast<int32_t>(random_below(4, seed, 3, i)), i + 1});
  return symbols;
}

bool are_equal(const std::vector<Symbol>& a, const std::vector<Symbol>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Symbol& x, const Symbol& y) { return x.id == y.id && x.end == y.end; });
}

/// Whether both ways agree with the definition on 40 random texts.
bool agrees_with_definition() {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const auto merges = random_merges(seed);
    const auto text = random_symbols(seed, static_cast<uint32_t>(seed * 5 % 101));
    const BpeMerges table(merges);
    auto scanned = text, heaped = text, chosen = text;
    table.apply_by_scanning(scanned);
    table.apply_by_heap(heaped);
    table.apply(chosen);
    const auto expected = merge_naively(text, merges);
    if (!are_equal(scanned, expected) || !are_equal(heaped, expected) || !are_equal(chosen, expected)) return false;
  }
  return true;
}

TEST(BpeMerges, ScanningAndHeapBothFollowTheDefinition) {
  EXPECT_TRUE(agrees_with_definition());
  const ScopedTwin error("data.merge_ranks_reversed");
  EXPECT_FALSE(agrees_with_definition());
}

TEST(BpeMerges, AMillionEqualLettersTakeNoQuadraticTime) {
  const std::vector<BpeMerge> merges{{0, 0, 1}, {1, 1, 2}, {2, 2, 3}};
  std::vector<Symbol> symbols;
  for (uint32_t i = 0; i < 1'000'000; ++i) symbols.push_back({0, i + 1});
  BpeMerges(merges).apply(symbols);  // scanning would take about 10^12 steps: hours
  EXPECT_EQ(symbols.size(), 125'000u);
  EXPECT_EQ(symbols.back().end, 1'000'000u);
}

TEST(BpeMerges, NothingAndOneSymbolStayAsTheyAre) {
  const std::vector<BpeMerge> merges{{0, 0, 1}};
  std::vector<Symbol> none, one{{0, 1}};
  BpeMerges(merges).apply(none);
  BpeMerges(merges).apply(one);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(one.size(), 1u);
}

}  // namespace
}  // namespace assay::data
