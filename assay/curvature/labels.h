// Which labels the curvature is fitted on. The true Fisher needs labels that the model itself would give; a sampled one
// per position is an unbiased draw of it, their exact expectation removes the noise where outputs are few, and the
// data's own labels give the empirical Fisher, which is another matrix (Kunstner et al. 2019, arXiv 1905.12558).
#pragma once

#include <string>
#include <vector>

#include "assay/data/dataset.h"
#include "assay/nn/architecture.h"
#include "assay/nn/measurement.h"

namespace assay::curvature {

enum class Labels { Sampled, Exact, Empirical };

const char* to_string(Labels labels) noexcept;
/// By its name in options; throws Error(Usage) with near matches.
Labels labels_named(const std::string& name);

/// The measurements whose gradients' outer products add up to the Fisher matrix of one example: one backward pass each.
/// Exact takes one weighted pass for each class (or each output of a regression) and needs examples of one position;
/// texts are refused (Error(Usage)). `later`: seeds of walks that will follow over the same batches.
std::vector<nn::Measurement> label_passes(Labels labels, uint64_t seed, const nn::Architecture& architecture,
                                          const data::Dataset& dataset, std::vector<uint64_t> later = {});

}  // namespace assay::curvature
