#include "assay/attribute/fit_rows.h"

#include <algorithm>
#include <span>
#include <utility>

#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::attribute {

std::optional<std::vector<int64_t>> fit_rows(const data::Dataset& dataset, int64_t most, uint64_t seed) {
  if (dataset.size() <= most) return std::nullopt;
  struct Draw {
    uint64_t value = 0;
    data::ExampleId id = 0;
    int64_t row = 0;
  };
  std::vector<Draw> draws;
  draws.reserve(dataset.examples.size());
  for (const data::ExampleView example : dataset.examples) {
    const auto row = static_cast<int64_t>(draws.size());
    const uint64_t key = ASSAY_TWIN("attribute.fit_rows_by_place") ? static_cast<uint64_t>(row) : example.id;
    draws.push_back({random_bits(seed, stream_of("attribute.fit examples"), key), example.id, row});
  }
  std::ranges::nth_element(draws, draws.begin() + static_cast<std::ptrdiff_t>(most), {},
                           [](const Draw& draw) { return std::pair(draw.value, draw.id); });
  std::vector<int64_t> rows;
  for (const Draw& draw : std::span(draws).first(static_cast<size_t>(most))) rows.push_back(draw.row);
  std::ranges::sort(rows);
  return rows;
}

}  // namespace assay::attribute
