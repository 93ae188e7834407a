#include "assay/attribute/walk_batches.h"

#include <c10/core/ScalarType.h>

#include <algorithm>

#include "assay/data/batches.h"

namespace assay::attribute {
namespace {

constexpr double kWidthTensors = 14;  // of the model's width that a block keeps: norms, queries, keys, values, sums
constexpr double kMlpTensors = 4;     // of the MLP's width: gate, its activation, up, their product
constexpr double kBytesOfOneWalk = 1e9;
constexpr int64_t kMostPositions = 4096;  // beyond it the products are no faster
constexpr int64_t kLeastPositions = 512;  // below it they are much slower

}  // namespace

double kept_numbers_per_position(const nn::Architecture& architecture) {
  const nn::Facts facts = architecture.facts();
  const double block =
      kWidthTensors * static_cast<double>(facts.width) + kMlpTensors * static_cast<double>(facts.mlp_width);
  return static_cast<double>(std::max<int64_t>(1, facts.blocks)) * block + 2 * static_cast<double>(facts.vocabulary);
}

std::vector<std::vector<int64_t>> walk_batches(const nn::Model& model, const data::Dataset& dataset) {
  const double bytes =
      kept_numbers_per_position(model.architecture()) * static_cast<double>(c10::elementSize(model.dtype()));
  const auto positions = static_cast<int64_t>(std::min(kBytesOfOneWalk / bytes, static_cast<double>(kMostPositions)));
  return data::plan_batches(dataset, std::max(kLeastPositions, positions));
}

}  // namespace assay::attribute
