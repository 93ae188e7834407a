#include "assay/attribute/batch_check.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <tuple>

#include "assay/attribute/walk_batches.h"
#include "assay/attribute/walk_shapes.h"
#include "assay/core/error.h"
#include "assay/core/twin.h"
#include "assay/nn/gradients.h"

namespace assay::attribute {
namespace {

constexpr int64_t kMostDocuments = 8;

// Of a norm, or of a loss. Sums of other lengths end in other last bits, which the network passes on. In float64 and
// float32 that is some thousand roundings' square root, of 2^-53 and 2^-24 each, 4e-15 and 2e-6; more where terms
// cancel. Measured on SmolLM2, stories260K and a small model of every family: 9e-15 and 6e-6 at most, and mistakes are
// of the size of the numbers. In bf16 a number that rounds the other way is 2^-8 of itself away; few do, a norm is of
// thousands, and several products stand one after the other: measured 1.7e-3.
constexpr double kInFloat64 = 1e-9;
constexpr double kInFloat32 = 1e-3;
constexpr double kInBf16 = 4.0 / 256;

// Nats a target. The slope of a target of probability p is 1 - p, which float32 holds to 2^-24: of a smaller loss than
// this, gradients are off by more than 6e-4 by rounding alone, and are not compared.
constexpr double kCertain = 1e-4;

/// Positions in a batch.
int64_t positions_of(const data::ExampleView& example) {
  return std::ssize(example.tokens) - 1;
}

int64_t targets_of(const data::ExampleView& example) {
  return std::ssize(example.tokens) - std::max(1, example.first_counted);
}

/// Of a batch: the loss of each document [B], and the norm of its gradient in each layer [L,B]; float64.
struct Measured {
  at::Tensor losses, norms;
};

Measured measured(const Inputs& inputs, std::span<const int64_t> rows) {
  const data::Batch batch = data::make_batch(inputs.train.dataset, rows, inputs.model.dtype());
  Measured found;
  found.norms = at::zeros({std::ssize(inputs.layers), batch.size()}, at::kDouble);
  const at::Tensor losses =
      nn::stream_gradients(inputs.model, batch, nn::loss(), inputs.layers, [&](const nn::FactoredGradient& gradient) {
        const auto place = std::ranges::find(inputs.layers, gradient.layer) - inputs.layers.begin();
        // A sum of terms of either sign may end a rounding below zero.
        found.norms.select(0, place).copy_(gradient.squared_norm().to(at::kDouble).clamp_min(0).sqrt());
      });
  found.losses = losses.to(at::kDouble);
  return found;
}

/// Of one call of measured(): however few its positions, every weight comes from memory, forward and back.
Cost measuring_cost(const Inputs& inputs, std::span<const int64_t> rows) {
  const WalkShapes shapes = shapes_of(inputs, data::subset(inputs.train.dataset, rows), 0);
  Cost cost = gradient_walk(shapes);
  products_of(shapes, cost) += 2 * shapes.tracked * shapes.positions;  // squares of gradients that are formed
  cost.bytes_moved += 2 * shapes.parameter_bytes + shapes.element_bytes * shapes.tracked * shapes.examples;
  cost.peak_bytes += static_cast<int64_t>(shapes.element_bytes * shapes.largest_gradient * shapes.examples);
  return cost;
}

double difference(double alone, double together, double scale) {
  if (!std::isfinite(alone) || alone == together) return 0;
  if (!std::isfinite(together)) return std::numeric_limits<double>::infinity();
  return std::abs(alone - together) / scale;
}

std::string advice(const nn::Model& model) {
  const at::ScalarType dtype = model.matrix_dtype();
  if (dtype == at::kDouble) return "please report this as a bug";
  return fmt::format("try --dtype {}, and please report this as a bug", dtype == at::kFloat ? "fp64" : "fp32");
}

void require_within(const BatchCheck& check, const Inputs& inputs) {
  if (check.largest() <= check.tolerance) return;
  const bool is_loss = check.loss_difference > check.tolerance;
  throw Error(ErrorKind::Numeric,
              fmt::format("comparing documents alone and in a batch: company must not change a document's loss and "
                          "gradient by more than {:.1g} of their size in {}, but among {} the {} of row {} differs by "
                          "{:.2g}{}; {} (--check-batches no goes on without this check)",
                          check.tolerance, nn::precision_name(inputs.model), check.documents,
                          is_loss ? "loss" : "gradient", is_loss ? check.loss_row : check.gradient_row,
                          is_loss ? check.loss_difference : check.gradient_difference,
                          is_loss ? "" : fmt::format(" in layer \"{}\"", check.gradient_layer), advice(inputs.model)));
}

}  // namespace

double batch_tolerance(const nn::Model& model) {
  switch (model.matrix_dtype()) {
    case at::kDouble: return kInFloat64;
    case at::kBFloat16: return kInBf16;
    default: return kInFloat32;
  }
}

std::vector<int64_t> batch_check_rows(const Inputs& inputs) {
  const data::Examples& examples = inputs.train.dataset.examples;
  const int64_t room = positions_of_a_walk(inputs.model, inputs.memory_bytes);
  const auto can_share = [&](const data::ExampleView& example) {
    // Of one position attention has one key and no slope: queries and keys have gradients of rounding alone.
    return targets_of(example) > 0 && positions_of(example) > 1 && 2 * positions_of(example) <= room;
  };
  int64_t eligible = 0, shortest = room, longest = 0;
  for (const data::ExampleView example : examples) {
    if (!can_share(example)) continue;
    ++eligible;
    shortest = std::min(shortest, positions_of(example));
    longest = std::max(longest, positions_of(example));
  }
  if (eligible < 2) return {};
  const int64_t count = std::min({kMostDocuments, eligible, room / longest});
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) {  // a look at all lengths each, which sorts and copies nothing
    const int64_t wanted = shortest + (longest - shortest) * i / (count - 1);
    std::tuple<int64_t, data::ExampleId, int64_t> nearest{std::numeric_limits<int64_t>::max(), 0, -1};
    int64_t row = -1;
    for (const data::ExampleView example : examples) {
      ++row;
      if (!can_share(example) || std::ranges::find(rows, row) != rows.end()) continue;
      nearest = std::min(nearest, {std::abs(positions_of(example) - wanted), example.id, row});
    }
    rows.push_back(std::get<2>(nearest));
  }
  return rows;
}

Cost batch_check_cost(const Inputs& inputs) {
  const std::vector<int64_t> rows = batch_check_rows(inputs);
  if (rows.empty()) return {};
  Cost cost = measuring_cost(inputs, rows);
  for (const int64_t& row : rows) cost += measuring_cost(inputs, {&row, 1});
  return cost;
}

BatchCheck check_batches(const Inputs& inputs, Progress& progress) {
  const std::vector<int64_t> rows = batch_check_rows(inputs);
  BatchCheck check;
  check.documents = std::ssize(rows);
  check.tolerance = batch_tolerance(inputs.model);
  if (rows.empty()) return check;
  const data::Dataset& documents = inputs.train.dataset;
  progress.begin("batch check", 2 * documents.units(rows), "tokens");
  const Measured together = measured(inputs, rows);
  progress.advance(documents.units(rows));
  for (int64_t i = 0; i < check.documents; ++i) {
    const int64_t row = rows[static_cast<size_t>(i)];
    const int64_t place = ASSAY_TWIN("attribute.batch_check_of_the_next") ? (i + 1) % check.documents : i;
    const Measured alone = measured(inputs, std::span(&row, 1));
    progress.advance(documents.units(row));
    const double certain = kCertain * static_cast<double>(targets_of(documents.examples[static_cast<size_t>(row)]));
    const double loss = alone.losses[0].item<double>();
    const double of_loss = difference(loss, together.losses[place].item<double>(), std::max(loss, certain));
    if (of_loss > check.loss_difference) check.loss_difference = of_loss, check.loss_row = row;
    if (loss < certain) continue;
    // What passes a sharp attention is a difference of large numbers, whose rounding is measured by theirs.
    const double usual = std::sqrt(alone.norms.square().mean().item<double>());
    for (size_t l = 0; l < inputs.layers.size(); ++l) {
      const auto layer = static_cast<int64_t>(l);
      const double norm = alone.norms[layer][0].item<double>();
      const double of_gradient = difference(norm, together.norms[layer][place].item<double>(), std::max(norm, usual));
      if (of_gradient <= check.gradient_difference) continue;
      check.gradient_difference = of_gradient;
      check.gradient_row = row;
      check.gradient_layer = inputs.model.architecture().layers()[static_cast<size_t>(inputs.layers[l])].name;
    }
  }
  progress.end();
  require_within(check, inputs);
  return check;
}

}  // namespace assay::attribute
