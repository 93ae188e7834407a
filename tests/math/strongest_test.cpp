// The strongest of a stream against a stable sort of all of it.
#include "assay/math/strongest.h"

#include <gtest/gtest.h>

#include <numeric>

#include "assay/core/philox.h"

namespace assay::math {
namespace {

std::vector<double> draws(size_t count, uint64_t different) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(static_cast<double>(random_below(different, 1, stream_of("tests.strongest"), i)) - 3);
  return values;
}

std::vector<int64_t> sorted_places(const std::vector<double>& values, size_t count, bool largest) {
  std::vector<int64_t> places(values.size());
  std::iota(places.begin(), places.end(), 0);
  std::ranges::stable_sort(places, [&](int64_t a, int64_t b) {
    const double x = values[static_cast<size_t>(a)], y = values[static_cast<size_t>(b)];
    return largest ? x > y : x < y;
  });
  places.resize(std::min(count, places.size()));
  return places;
}

std::vector<int64_t> found_places(const std::vector<double>& values, int64_t count, bool largest, size_t piece) {
  Strongest strongest(count, largest);
  for (size_t begin = 0; begin < values.size(); begin += piece) {
    const auto part = std::span(values).subspan(begin, std::min(piece, values.size() - begin));
    strongest.add(part, static_cast<int64_t>(begin));
  }
  std::vector<int64_t> places;
  for (const auto& entry : strongest.sorted()) {
    EXPECT_EQ(entry.value, values[static_cast<size_t>(entry.place)]);
    places.push_back(entry.place);
  }
  return places;
}

TEST(Strongest, IsTheBeginningOfAStableSort) {
  for (const uint64_t different : {1u, 4u, 1000000u}) {  // many ties, and none
    const std::vector<double> values = draws(500, different);
    for (const int64_t count : {1, 7, 500, 600}) {
      for (const bool largest : {true, false}) {
        const auto expected = sorted_places(values, static_cast<size_t>(count), largest);
        EXPECT_EQ(found_places(values, count, largest, 500), expected);
        EXPECT_EQ(found_places(values, count, largest, 13), expected) << "pieces change nothing";
      }
    }
  }
}

TEST(Strongest, OfNothingIsNothing) {
  EXPECT_TRUE(Strongest(3).sorted().empty());
  Strongest none(0);
  none.add(std::span<const double>(draws(5, 9)), 0);
  EXPECT_TRUE(none.sorted().empty());
}

}  // namespace
}  // namespace assay::math
