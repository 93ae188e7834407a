#include "assay/evaluate/removal.h"

#include <algorithm>
#include <numeric>

#include "assay/core/error.h"
#include "assay/core/philox.h"
#include "assay/core/twin.h"

namespace assay::evaluate {

std::vector<int64_t> union_of(std::span<const std::vector<size_t>> rankings) {
  std::vector<int64_t> rows;
  for (const std::vector<size_t>& ranking : rankings) rows.insert(rows.end(), ranking.begin(), ranking.end());
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

std::vector<int64_t> random_rows(int64_t documents, int64_t count, uint64_t seed) {
  std::vector<int64_t> rows(static_cast<size_t>(documents));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const size_t kept = static_cast<size_t>(std::min(documents, count));
  for (size_t i = 0; i < kept; ++i)
    std::swap(rows[i], rows[i + random_below(rows.size() - i, seed, stream_of("evaluate.random_rows"), i)]);
  rows.resize(kept);
  std::sort(rows.begin(), rows.end());
  return rows;
}

double predicted_change(std::span<const float> scores, std::span<const int64_t> removed, int64_t training_documents,
                        int64_t blocks) {
  double sum = 0;
  for (const int64_t row : removed) {
    ASSAY_ASSERT(row >= 0 && static_cast<size_t>(row) < scores.size());
    sum += static_cast<double>(scores[static_cast<size_t>(row)]);
  }
  const double kept = ASSAY_TWIN("evaluate.removal_adds") ? sum : -sum;
  return kept * nats_per_raw(training_documents, blocks);
}

double nats_per_raw(int64_t training_documents, int64_t blocks) {
  ASSAY_ASSERT(training_documents > 0 && blocks > 0);
  const int64_t shares = ASSAY_TWIN("evaluate.blocks_summed") ? 1 : blocks;
  return 1.0 / static_cast<double>(training_documents * shares);
}

std::vector<double> change(const Retrained& before, const Retrained& after) {
  ASSAY_ASSERT(!before.by_seed.empty() && before.by_seed.size() == after.by_seed.size());
  std::vector<double> mean(before.by_seed.front().size());
  for (size_t seed = 0; seed < before.by_seed.size(); ++seed) {
    ASSAY_ASSERT(before.by_seed[seed].size() == mean.size() && after.by_seed[seed].size() == mean.size());
    for (size_t query = 0; query < mean.size(); ++query)
      mean[query] +=
          (after.by_seed[seed][query] - before.by_seed[seed][query]) / static_cast<double>(before.by_seed.size());
  }
  return mean;
}

SeedRange over_seeds(const Retrained& retrained, size_t query) {
  ASSAY_ASSERT(!retrained.by_seed.empty() && query < retrained.by_seed.front().size());
  SeedRange range{.mean = 0, .low = retrained.by_seed.front()[query], .high = retrained.by_seed.front()[query]};
  for (const std::vector<double>& values : retrained.by_seed) {
    range.mean += values[query] / static_cast<double>(retrained.by_seed.size());
    range.low = std::min(range.low, values[query]);
    range.high = std::max(range.high, values[query]);
  }
  return range;
}

}  // namespace assay::evaluate
