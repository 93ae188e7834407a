// The counterfactual that influence predicts: documents are left out, the model is trained again with the same seeds,
// and the measurement of every query is compared with that of models trained on everything. Nothing here trains; it
// says which documents to leave out, what the scores predict for it, and what came of it.
//
// Predicted is a first-order sum of scores, exact only for small changes of the weights; for a tenth of a corpus expect
// the order of questions, not the size. Actual is paired by seed, so that what a seed does to both models cancels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace assay::evaluate {

/// Rows that are in any of the `rankings` [Q], ascending, each once: what to leave out to take its documents from every
/// query at once.
std::vector<int64_t> union_of(std::span<const std::vector<size_t>> rankings);

/// `count` of `documents` rows, ascending, drawn without replacement from a seed: the control. All, if there are fewer.
std::vector<int64_t> random_rows(int64_t documents, int64_t count, uint64_t seed);

/// What leaving `removed` out changes, in the measurement's unit: −(1/(N·blocks)) Σ score_i. scores: [N],
/// counterfactual ones, positive where a document raises the measurement; `training_documents`: N of the training run.
///
/// `blocks`: independent blocks of the curvature behind the scores. Each block predicts the change that it would make
/// if it alone could learn, so where any layer of L can do the job (a memorised fact) the sum over layers counts the
/// change L times, and with blocks = L this is the mean over layers. 1 is the sum: right where every layer does a part
/// of its own. The truth lies between the two.
double predicted_change(std::span<const float> scores, std::span<const int64_t> removed, int64_t training_documents,
                        int64_t blocks = 1);

/// 1/(N·blocks): what a raw counterfactual score is multiplied by to be the size of that change for one document.
double nats_per_raw(int64_t training_documents, int64_t blocks);

/// The measurement of every query by the models of one training set.
struct Retrained {
  std::vector<std::vector<double>> by_seed;  ///< [R][Q], the same seeds in the same order for every training set
};

/// after − before, paired by seed, mean over seeds: [Q]. Throws Error(Internal) where seeds or queries differ.
std::vector<double> change(const Retrained& before, const Retrained& after);

/// The mean over the seeds of one query, and its smallest and largest value.
struct SeedRange {
  double mean = 0;
  double low = 0;
  double high = 0;
};

SeedRange over_seeds(const Retrained& retrained, size_t query);

}  // namespace assay::evaluate
