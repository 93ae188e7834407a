#include "bench/table/counts.h"

#include <algorithm>
#include <set>

#include "assay/curvature/covariance.h"
#include "assay/curvature/eigenbasis.h"
#include "assay/curvature/layer_shape.h"

namespace assay::bench {

Counts::Counts(const nn::Architecture& architecture, std::span<const nn::LayerId> layers,
               const data::Dataset& documents, const std::string& dtype)
    : is_bf16_(dtype == "bf16"), documents_(static_cast<double>(documents.size())) {
  double squares = 0;  // of lengths
  for (const data::ExampleView example : documents.examples) {
    const auto length = static_cast<double>(example.tokens.size()) - 1;
    positions_ += length;
    squares += length * length;
  }
  std::set<std::string> inputs;
  for (const nn::LayerId id : layers) {
    const curvature::LayerShape of_layer = curvature::shape_of(architecture, id);
    const Shape shape{.rows = static_cast<double>(of_layer.rows),
                      .columns = static_cast<double>(of_layer.columns),
                      .reads_new_input = inputs.insert(curvature::input_name(architecture, id)).second};
    const double rows = shape.rows, columns = shape.columns, input = shape.reads_new_input ? 1 : 0;
    weights_ += 2 * rows * columns * positions_;
    covariances_ += (rows * rows + input * columns * columns) * positions_;  // half of a symmetric product
    const auto cubes = [&](int64_t size) -> double& {
      return curvature::decomposed_in(at::kFloat, size) == at::kFloat ? cubes_fp32_ : cubes_fp64_;
    };
    cubes(of_layer.rows) += rows * rows * rows;
    cubes(of_layer.columns) += input * columns * columns * columns;
    rotations_ += std::min(2 * (rows * rows + input * columns * columns) * positions_,
                           2 * rows * columns * (rows + columns) * documents_);
    solves_ += 4 * rows * columns * (rows + columns) * documents_;  // into the eigenbasis and out of it
    shapes_.push_back(shape);
  }
  const nn::Facts facts = architecture.facts();
  head_ = 2 * static_cast<double>(facts.vocabulary * facts.width) * positions_;
  // Causal: half of Q·Kᵀ and of P·V forward, of five such products backward.
  attention_ = 3.5 * 2 * static_cast<double>(facts.blocks * facts.heads * facts.head_width) * squares;
}

Cost Counts::products(double operations) const {
  return is_bf16_ ? Cost{.flops_bf16 = operations} : Cost{.flops = operations};
}

// Each document's gradient is formed and multiplied with all queries, or each query with every position.
Cost Counts::scores(int64_t queries, bool after_a_fit) const {
  const auto count = static_cast<double>(queries);
  return products((after_a_fit ? again() : down()) + weights_ * std::min(1 + count * documents_ / positions_, count));
}

Cost Counts::index(int64_t rank) const {
  double operations = 0;
  for (const Shape& shape : shapes_) {
    const double out = std::min(static_cast<double>(rank), shape.rows);
    const double in = std::min(static_cast<double>(rank), shape.columns);
    operations += 2 * positions_ * (shape.rows * out + shape.columns * in + out * in);
  }
  return products(down() + operations);
}

}  // namespace assay::bench
