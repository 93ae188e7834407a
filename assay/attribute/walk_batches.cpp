#include "assay/attribute/walk_batches.h"

#include <c10/core/ScalarType.h>

#include <algorithm>

#include "assay/core/twin.h"
#include "assay/data/batches.h"
#include "assay/nn/batches_in_flight.h"

namespace assay::attribute {
namespace {

// Measured on models of several widths, within a tenth; a model in bf16 keeps its products' inputs at half.
constexpr double kWidthTensors = 8;  // of the model's width that a block keeps: norms, queries, keys, values, sums
constexpr double kMlpTensors = 4;    // of the MLP's width: gate, its activation, up, their product
constexpr double kShareInBf16 = 0.75;
constexpr double kBytesOfOneWalk = 3e8;
constexpr int64_t kMostPositions = 4096;  // beyond it the products are no faster
constexpr int64_t kMostOfNarrow = 2048;   // of a model of which few threads walk a batch each
// Below these products are much slower, because weights come from memory for each batch: only scarce memory goes there.
constexpr int64_t kLeastPositions = 512, kLeastInBf16 = 1024;
constexpr int64_t kStep = 32;

}  // namespace

double kept_numbers_per_position(const nn::Model& model) {
  const nn::Facts facts = model.architecture().facts();
  const double block =
      kWidthTensors * static_cast<double>(facts.width) + kMlpTensors * static_cast<double>(facts.mlp_width);
  return static_cast<double>(std::max<int64_t>(1, facts.blocks)) * block *
         (model.matrix_dtype() == at::kBFloat16 ? kShareInBf16 : 1);
}

int64_t positions_of_a_walk(const nn::Model& model, int64_t memory_bytes) {
  const double bytes = kept_numbers_per_position(model) * static_cast<double>(c10::elementSize(model.dtype()));
  const auto within = [&](double room) { return static_cast<int64_t>(std::min(room / bytes, 1e9)); };
  const int64_t most = nn::is_narrow(model) ? kMostOfNarrow : kMostPositions;
  const int64_t least = model.matrix_dtype() == at::kBFloat16 ? kLeastInBf16 : kLeastPositions;
  const int64_t wanted = std::clamp(within(kBytesOfOneWalk), least, most);
  const int64_t affordable =
      ASSAY_TWIN("attribute.batches_whatever_the_memory")
          ? wanted
          : within(static_cast<double>(memory_bytes) / static_cast<double>(nn::batches_held(model)));
  if (affordable >= wanted) return wanted;
  // In steps, so that a little memory more or less does not change the batches and lose the sums of an earlier run.
  return std::max(kStep, affordable / kStep * kStep);
}

std::vector<std::vector<int64_t>> walk_batches(const nn::Model& model, const data::Dataset& dataset,
                                               int64_t memory_bytes) {
  return data::plan_batches(dataset, positions_of_a_walk(model, memory_bytes));
}

}  // namespace assay::attribute
