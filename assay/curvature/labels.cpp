#include "assay/curvature/labels.h"

#include <ATen/ops/log_softmax.h>

#include <array>

#include "assay/core/error.h"
#include "assay/core/near_match.h"
#include "assay/core/twin.h"

namespace assay::curvature {
namespace {

constexpr std::array kAll{Labels::Sampled, Labels::Exact, Labels::Empirical};

// √p_k ∇(−ln p_k): its outer product carries the weight p_k of class k. The weight itself is not differentiated.
nn::Measurement weighted_class_loss(int64_t k) {
  return {.name = "weighted class loss",
          .unit = "nats",
          .meaning = "loss of one class, weighted by the root of its probability",
          .less_is_better = true,
          .evaluate = [k](const nn::Output& output, const data::Batch&) {
            const at::Tensor log_p = output.logits().log_softmax(-1).select(-1, k);
            const double power = ASSAY_TWIN("curvature.exact_weight_without_root") ? 1 : 0.5;
            return log_p.detach().mul(power).exp().mul(log_p).neg().sum(1);
          }};
}

// The labels of a unit-variance regression give output gradients with covariance I: one pass for each axis.
nn::Measurement single_output(int64_t k) {
  return {
      .name = "single output",
      .unit = "outputs",
      .meaning = "one output of the regression",
      .less_is_better = false,
      .evaluate = [k](const nn::Output& output, const data::Batch&) { return output.logits().select(-1, k).sum(1); }};
}

// A reduction by the mean lets padding and length leak into the factors.
nn::Measurement averaged_over_positions(nn::Measurement summed) {
  auto evaluate = std::move(summed.evaluate);
  summed.evaluate = [evaluate](const nn::Output& output, const data::Batch& batch) {
    return evaluate(output, batch).div(static_cast<double>(batch.positions()));
  };
  return summed;
}

std::vector<nn::Measurement> exact_passes(const nn::Architecture& architecture, const data::Dataset& dataset) {
  if (dataset.longest() > 0) {
    throw Error(
        ErrorKind::Usage,
        "fitting the curvature: labels=exact sums over every class at one position, but these are texts, where the "
        "labels of all positions would have to be summed jointly; use labels=sampled");
  }
  const bool is_regression = architecture.output_kind() == nn::OutputKind::Gaussian;
  const int64_t outputs =
      is_regression ? static_cast<int64_t>(dataset.examples.at(0).values.size()) : architecture.facts().vocabulary;
  std::vector<nn::Measurement> passes;
  for (int64_t k = 0; k < outputs; ++k) passes.push_back(is_regression ? single_output(k) : weighted_class_loss(k));
  return passes;
}

}  // namespace

const char* to_string(Labels labels) noexcept {
  switch (labels) {
    case Labels::Sampled: return "sampled";
    case Labels::Exact: return "exact";
    case Labels::Empirical: return "empirical";
  }
  return "sampled";
}

Labels labels_named(const std::string& name) {
  std::vector<std::string> known;
  for (const Labels labels : kAll) {
    if (name == to_string(labels)) return labels;
    known.emplace_back(to_string(labels));
  }
  throw Error(ErrorKind::Usage, "choosing labels for the curvature: they must be sampled, exact or empirical, but \"" +
                                    name + "\" was given" + closest_clause(name, known));
}

std::vector<nn::Measurement> label_passes(Labels labels, uint64_t seed, const nn::Architecture& architecture,
                                          const data::Dataset& dataset, std::vector<uint64_t> later) {
  switch (labels) {
    case Labels::Sampled: {
      nn::Measurement sampled = nn::sampled_label_loss(seed, std::move(later));
      return {ASSAY_TWIN("curvature.mean_for_sum") ? averaged_over_positions(std::move(sampled)) : std::move(sampled)};
    }
    case Labels::Exact: return exact_passes(architecture, dataset);
    case Labels::Empirical: return {nn::loss()};
  }
  return {};
}

}  // namespace assay::curvature
