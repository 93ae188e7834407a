#include "assay/evaluate/lds.h"

#include <cmath>
#include <limits>

#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/math/correlation.h"
#include "assay/math/summary.h"

namespace assay::evaluate {
namespace {

// f of one query by subset, averaged over the seeds [from, to).
std::vector<double> outcomes(const RetrainingBank& bank, size_t query, size_t from, size_t to) {
  std::vector<double> mean(bank.subsets.size(), 0.0);
  for (size_t seed = from; seed < to; ++seed) {
    for (size_t j = 0; j < mean.size(); ++j)
      mean[j] += bank.measurement[seed][j][query] / static_cast<double>(to - from);
  }
  return mean;
}

// g of one query by subset.
std::vector<double> predictions(const std::vector<double>& scores, const RetrainingBank& bank) {
  std::vector<double> predicted;
  for (const auto& subset : bank.subsets) {
    double sum = 0;
    for (const int64_t row : subset) sum += scores.at(static_cast<size_t>(row));
    predicted.push_back(ASSAY_TWIN("evaluate.lds_over_dropped") ? -sum : sum);
  }
  return predicted;
}

std::vector<double> without_nan(std::span<const double> values) {
  std::vector<double> kept;
  for (const double value : values) {
    if (!std::isnan(value)) kept.push_back(value);
  }
  return kept;
}

}  // namespace

Lds linear_datamodeling_score(std::span<const std::vector<double>> scores, const RetrainingBank& bank) {
  ASSAY_ASSERT(!bank.subsets.empty() && !bank.measurement.empty());
  Lds result;
  for (size_t q = 0; q < scores.size(); ++q) {
    result.per_query.push_back(
        math::spearman(predictions(scores[q], bank), outcomes(bank, q, 0, bank.measurement.size())));
  }
  const std::vector<double> kept = without_nan(result.per_query);
  result.without_spread = std::ssize(result.per_query) - std::ssize(kept);
  result.mean = math::mean(kept);
  result.interval = math::bootstrap_mean(kept);
  return result;
}

math::Interval lds_interval_over_subsets(std::span<const std::vector<double>> scores, const RetrainingBank& bank,
                                         const math::BootstrapOptions& options) {
  ASSAY_ASSERT(!bank.subsets.empty() && !bank.measurement.empty());
  std::vector<std::vector<double>> predicted, measured;
  for (size_t q = 0; q < scores.size(); ++q) {
    predicted.push_back(predictions(scores[q], bank));
    measured.push_back(outcomes(bank, q, 0, bank.measurement.size()));
  }
  std::vector<double> g(bank.subsets.size()), f(bank.subsets.size());
  const auto mean_over = [&](std::span<const size_t> drawn) {
    std::vector<double> per_query;
    for (size_t q = 0; q < predicted.size(); ++q) {
      for (size_t j = 0; j < drawn.size(); ++j) {
        g[j] = predicted[q][drawn[j]];
        f[j] = measured[q][ASSAY_TWIN("evaluate.lds_subsets_drawn_apart") ? j : drawn[j]];
      }
      per_query.push_back(math::spearman(g, f));
    }
    return math::mean(without_nan(per_query));
  };
  return math::bootstrap(bank.subsets.size(), mean_over, options);
}

double lds_ceiling(const RetrainingBank& bank) {
  const size_t seeds = bank.measurement.size();
  if (seeds < 2) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> reliabilities;
  for (size_t q = 0; q < bank.measurement[0][0].size(); ++q) {
    const double rho = math::spearman(outcomes(bank, q, 0, seeds / 2), outcomes(bank, q, seeds / 2, seeds / 2 * 2));
    if (!std::isnan(rho)) reliabilities.push_back(2 * rho / (1 + rho));
  }
  return std::sqrt(std::max(0.0, math::mean(reliabilities)));
}

}  // namespace assay::evaluate
