#include "assay/attribute/walk_shapes.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <set>

#include "assay/attribute/factors.h"
#include "assay/attribute/walk_batches.h"
#include "assay/core/machine.h"
#include "assay/curvature/covariance.h"
#include "assay/curvature/eigenbasis.h"
#include "assay/curvature/layer_shape.h"
#include "assay/kernel/cross_entropy.h"
#include "assay/nn/batches_in_flight.h"
#include "assay/nn/head_memory.h"

namespace assay::attribute {

namespace {

constexpr double kProductsPerPair = 7;      // of a head's width: two forward, five backward
constexpr double kExponentialsPerPair = 2;  // forward, and again backward
// With masks, sums and what moves between registers: 3 ns a pair of positions and head of width 8 on one core,
// measured.
constexpr double kOperationsPerExponential = 96;
constexpr double kPassesOverActivations = 8;  // each is written and read, forward and back, by operators and products

/// n³ of a matrix that is decomposed; twice where that is in float64.
double decomposed_cube(at::ScalarType dtype, int64_t size) {
  const auto n = static_cast<double>(size);
  return (curvature::decomposed_in(dtype, size) == at::kDouble ? 2 : 1) * n * n * n;
}

}  // namespace

WalkShapes shapes_of(const Inputs& inputs, const data::Dataset& documents, int64_t queries) {
  const nn::Architecture& architecture = inputs.model.architecture();
  const nn::Facts facts = architecture.facts();
  WalkShapes shapes;
  for (const auto& rows : walk_batches(inputs.model, documents, inputs.memory_bytes)) {
    int64_t widest = 1;
    for (const int64_t row : rows) {
      const auto tokens = static_cast<int64_t>(documents.examples[static_cast<size_t>(row)].tokens.size());
      widest = std::max(widest, tokens - 1);
    }
    const auto padded = static_cast<double>(widest * static_cast<int64_t>(rows.size()));
    shapes.positions += padded;
    shapes.pairs += padded * static_cast<double>(widest + 1) / 2;
    shapes.widest_batch = std::max(shapes.widest_batch, padded);
    shapes.batches += 1;
  }
  shapes.element_bytes = static_cast<double>(c10::elementSize(inputs.model.dtype()));
  shapes.parameter_bytes = shapes.element_bytes * static_cast<double>(inputs.model.parameters().count());
  shapes.dtype = inputs.model.dtype();
  shapes.is_bf16 = inputs.model.matrix_dtype() == at::kBFloat16;
  for (const nn::Layer& layer : architecture.layers()) {
    const auto& shape = architecture.parameters().at(static_cast<size_t>(layer.weight)).shape;
    shapes.weights += static_cast<double>(shape[0] * shape[1]);
  }
  std::set<std::string> seen;
  for (const nn::LayerId layer : inputs.layers) {
    const curvature::LayerShape shape = curvature::shape_of(architecture, layer);
    const auto rows = static_cast<double>(shape.rows), columns = static_cast<double>(shape.columns);
    shapes.tracked += rows * columns;
    shapes.largest_gradient = std::max(shapes.largest_gradient, rows * columns);
    shapes.largest_side = std::max({shapes.largest_side, shape.rows, shape.columns});
    shapes.narrow += std::min(rows, columns);
    shapes.squares_out += rows * rows;
    shapes.waiting += rows;
    shapes.solves += 2 * rows * columns * (rows + columns);
    shapes.cubes += decomposed_cube(inputs.model.dtype(), shape.rows);
    if (!seen.insert(curvature::input_name(architecture, layer)).second) continue;
    shapes.squares_in += columns * columns;
    shapes.waiting += columns;
    shapes.cubes += decomposed_cube(inputs.model.dtype(), shape.columns);
  }
  shapes.blocks = static_cast<double>(std::max<int64_t>(1, facts.blocks));
  shapes.layers = static_cast<double>(inputs.layers.size());
  shapes.examples = static_cast<double>(documents.size());
  shapes.queries = static_cast<double>(queries);
  const auto& asked = inputs.queries.dataset.examples;
  for (int64_t q = 0; q < queries; ++q)
    shapes.query_positions += static_cast<double>(asked[static_cast<size_t>(q)].tokens.size());
  shapes.activations = kept_numbers_per_position(inputs.model);
  if (facts.context > 0 && nn::HeadMemory::is_worth_it(facts.vocabulary))
    shapes.head = 4 * static_cast<double>(facts.vocabulary * facts.width);
  const auto each = nn::HeadMemory::bytes_per_position(facts.width, static_cast<int64_t>(shapes.element_bytes));
  shapes.remembered =
      std::min(shapes.positions, static_cast<double>(head_memory_bytes(inputs)) / static_cast<double>(each));
  shapes.remembered_bytes = shapes.remembered * static_cast<double>(each);
  shapes.longest = static_cast<double>(documents.longest());
  const double heads = shapes.blocks * static_cast<double>(facts.heads);
  shapes.attention = heads * kProductsPerPair * 2 * static_cast<double>(facts.head_width);
  shapes.exponentials = heads * kExponentialsPerPair * kOperationsPerExponential;
  shapes.walked = static_cast<double>(nn::batches_in_flight(inputs.model));
  if (shapes.is_bf16) shapes.waiting /= 2;
  shapes.head_bytes = static_cast<double>(kernel::head_working_bytes(
      static_cast<int64_t>(shapes.widest_batch), facts.width, facts.vocabulary, inputs.model.matrix_dtype()));
  shapes.resident = static_cast<double>(resident_bytes());
  return shapes;
}

double& products_of(const WalkShapes& shapes, Cost& cost) {
  return shapes.is_bf16 ? cost.flops_bf16 : cost.flops;
}

Cost gradient_walk(const WalkShapes& shapes) {
  Cost cost;
  cost.flops = shapes.exponentials * shapes.pairs;
  products_of(shapes, cost) += 4 * shapes.weights * shapes.positions + shapes.attention * shapes.pairs;
  cost.bytes_moved = kPassesOverActivations * shapes.element_bytes * shapes.activations * shapes.positions;
  cost.operator_calls = shapes.batches * (shapes.blocks * kOperatorsPerBlock + shapes.layers * kOperatorsPerLayer);
  cost.peak_bytes =
      static_cast<int64_t>(shapes.resident + shapes.walked * shapes.head_bytes +
                           shapes.element_bytes * shapes.widest_batch *
                               (shapes.walked * shapes.activations + (shapes.walked - 1) * shapes.waiting));
  return cost;
}

}  // namespace assay::attribute
