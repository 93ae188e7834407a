// The linear datamodeling score (Park et al. 2023, arXiv 2303.14186): does the sum of the scores of the examples that
// were kept order the outcomes of retraining on them? For each query, Spearman's rho over subsets S_j between
//
//   g_j = Σ_{i in S_j} score_qi   and   f_j = the measurement after training on S_j, averaged over seeds.
//
// Exact given its inputs; the scores' sign must be "positive raises the measurement". A column without spread has no
// correlation: it is left out and counted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "assay/math/bootstrap.h"

namespace assay::evaluate {

/// The outcomes of retraining, made once for every method.
struct RetrainingBank {
  std::vector<std::vector<int64_t>> subsets;  ///< rows kept, by subset
  /// measurement[seed][subset][query]
  std::vector<std::vector<std::vector<double>>> measurement;
};

struct Lds {
  std::vector<double> per_query;  ///< NaN where a column had no spread
  double mean = 0;                ///< over the queries that have one
  math::Interval interval;        ///< 95 % bootstrap over queries
  int64_t without_spread = 0;
};

/// scores: [Q][N].
Lds linear_datamodeling_score(std::span<const std::vector<double>> scores, const RetrainingBank& bank);

/// 95 % bootstrap over subsets of the mean over queries: how far it would move had other subsets been retrained on. The
/// interval over queries says nothing of that, since all queries share the subsets. NaN bounds where no query has
/// spread.
math::Interval lds_interval_over_subsets(std::span<const std::vector<double>> scores, const RetrainingBank& bank,
                                         const math::BootstrapOptions& options = {});

/// The root of the truth's own reliability, which bounds any method's score: Spearman between halves of the seeds,
/// stepped up by Spearman-Brown, averaged over queries. NaN with fewer than two seeds.
double lds_ceiling(const RetrainingBank& bank);

}  // namespace assay::evaluate
