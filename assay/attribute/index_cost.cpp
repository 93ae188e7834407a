#include "assay/attribute/index_cost.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <set>

#include "assay/attribute/cost.h"
#include "assay/attribute/factors.h"
#include "assay/attribute/index_curvature.h"
#include "assay/attribute/walk_shapes.h"
#include "assay/core/machine.h"
#include "assay/core/twin.h"
#include "assay/curvature/covariance.h"

namespace assay::attribute {
namespace {

constexpr double kOperatorsPerProjection = 6;  // of one captured pair

/// Multiply-adds of projecting one position, and numbers of all projections.
struct ProjectionWork {
  double a_position = 0, numbers = 0;
};

ProjectionWork projection_work(const IndexAbout& about, const nn::Architecture& architecture,
                               std::span<const nn::LayerId> layers) {
  ProjectionWork work;
  std::set<std::string> inputs;
  for (size_t i = 0; i < about.layers.size(); ++i) {
    const IndexAbout::Layer& layer = about.layers[i];
    const auto outputs = static_cast<double>(layer.full.rows * layer.shape.rows);
    const auto shared = static_cast<double>(layer.full.columns * layer.shape.columns);
    const bool is_first = inputs.insert(curvature::input_name(architecture, layers[i])).second;
    work.a_position += outputs + static_cast<double>(layer.shape.size()) + (is_first ? shared : 0);
    work.numbers += outputs + (is_first ? shared : 0);
  }
  return work;
}

/// What the documents take on disk; a text is reckoned at four bytes a token, not read for it.
double document_bytes(const IndexedDocuments& documents) {
  const auto tokens = static_cast<double>(documents.dataset.tokens());
  return (documents.texts ? 8.0 : 4.0) * tokens + 128.0 * static_cast<double>(documents.size());
}

/// Cubes and squares of the layers' dimensions, of those with more and with fewer than `rows`.
struct Dimensions {
  double squares = 0, cubes = 0, columns = 0, largest = 0;
};

Dimensions dimensions_of(const IndexAbout& about, int64_t rows) {
  Dimensions dimensions;
  for (const IndexAbout::Layer& layer : about.layers) {
    const auto k = static_cast<double>(layer.shape.size()), n = static_cast<double>(rows);
    const double solved = std::min(k, n);  // the dual form where there are fewer rows
    dimensions.squares += k * solved;
    dimensions.cubes += solved * solved * solved / 3 + (n < k ? n * n * k : 0);
    dimensions.columns += k;
    dimensions.largest = std::max(dimensions.largest, 8 * (n < k ? n * k + n * n : 2 * k * k));
  }
  return dimensions;
}

}  // namespace

int64_t row_bytes(const IndexAbout& about, int64_t rows) {
  const int64_t numbers = about.columns() * bytes_of_number(about.settings.rows);
  return rows * (numbers + std::ssize(about.layers) * bytes_of_scale(about.settings.rows) + 8);
}

void add_index_stages(Plan& plan, const IndexRequest& request, int64_t rows_before) {
  const Inputs inputs = inputs_of(request);
  const IndexAbout about = about_of(request);
  const bool needs_bases = request.settings.projection == ProjectionKind::Principal && rows_before == 0;
  if (needs_bases) add_basis_stages(plan, inputs);

  const data::Dataset& documents = request.documents.dataset;
  const int64_t rows = rows_before + documents.size();
  const WalkShapes shapes = shapes_of(inputs, documents, 0);
  const ProjectionWork work = projection_work(about, request.model.architecture(), request.layers);
  const auto columns = static_cast<double>(about.columns());
  const int64_t block = std::min(
      documents.size(), request.rows_per_block > 0 ? request.rows_per_block : planned_rows_per_block(about, documents));
  Cost cost = gradient_walk(shapes);
  products_of(shapes, cost) += 2 * work.a_position * shapes.positions;
  cost.operator_calls += kOperatorsPerProjection * shapes.layers * shapes.batches;
  cost.bytes_moved += 3 * static_cast<double>(row_bytes(about, documents.size()));  // encoded, hashed, written
  double summed = 0, sums = 0;
  for (const size_t layer : layers_with_sums(about, rows)) {
    const auto k = static_cast<double>(about.layers[layer].shape.size());
    summed += k * k * static_cast<double>(rows);  // half of a symmetric product, two operations a multiply-add
    sums += k * k * shapes.element_bytes;
  }
  const double held = std::min(sums, static_cast<double>(request.memory_bytes));
  cost.flops += summed;
  cost.bytes_moved += static_cast<double>(row_bytes(about, rows_before));
  const double block_numbers = static_cast<double>(block) * columns;
  if (!ASSAY_TWIN("attribute.index_plan_without_rows"))
    cost.peak_bytes += static_cast<int64_t>(
        block_numbers * (shapes.element_bytes + static_cast<double>(bytes_of_number(about.settings.rows))) + held +
        work.numbers * shapes.element_bytes);
  cost.disk_bytes = row_bytes(about, documents.size()) +
                    static_cast<int64_t>(document_bytes(request.documents) + sums) +
                    static_cast<int64_t>(rows_before == 0 ? work.numbers * shapes.element_bytes : 0);
  plan.add("projected gradients", cost);
}

void add_store_stages(Plan& plan, const Inputs& inputs, const IndexQuestion& question, const FactoryCall& exact) {
  const GradientIndex& index = *inputs.index;
  const IndexAbout& about = index.about();
  const auto rows = static_cast<double>(index.rows()), columns = static_cast<double>(about.columns());
  const data::Dataset& queries = inputs.queries.dataset;
  const WalkShapes shapes = shapes_of(inputs, queries, 0);
  const auto asked = static_cast<double>(queries.size());
  const Dimensions dimensions = dimensions_of(about, index.rows());
  const bool is_dense = about.settings.curvature == IndexCurvature::Raw;

  Cost prepared = gradient_walk(shapes);
  products_of(shapes, prepared) +=
      2 * projection_work(about, inputs.model.architecture(), index.layer_ids(inputs.model.architecture())).a_position *
      shapes.positions;
  prepared.operator_calls += kOperatorsPerProjection * shapes.layers * shapes.batches;
  if (is_dense) prepared.flops_fp64 += 2 * (dimensions.cubes + 2 * asked * dimensions.squares);
  prepared.bytes_moved += 8 * dimensions.squares;
  prepared.peak_bytes += static_cast<int64_t>(dimensions.largest + 3 * shapes.element_bytes * asked * columns);
  plan.add("questions", prepared);

  const auto resident = static_cast<double>(resident_bytes());
  if (question.needs_self) {
    Cost self{.bytes_moved = 3.0 * static_cast<double>(row_bytes(about, index.rows()))};
    if (is_dense) self.flops_fp64 = rows * dimensions.squares;
    self.peak_bytes = static_cast<int64_t>(resident + dimensions.largest);
    plan.add("self-influence", self);
  }

  // The rows are mapped and stay in memory where there is room; checked, read, multiplied.
  const auto stored = static_cast<double>(row_bytes(about, index.rows()));
  Cost scan{.flops = 2 * asked * columns * rows, .bytes_moved = 2 * stored};
  const double block = rows / static_cast<double>(std::max<size_t>(1, index.blocks().size()));
  scan.peak_bytes = static_cast<int64_t>(resident + stored + shapes.element_bytes * (asked * (columns + block)) +
                                         shapes.element_bytes * static_cast<double>(question.whole_rows) * rows +
                                         shapes.element_bytes * block * columns);
  scan.disk_bytes = static_cast<int64_t>(4.0 * static_cast<double>(question.whole_rows) * rows);
  plan.add("scores", scan);
  if (question.rescored == 0) return;
  add_fit_stages(plan, exact, inputs);
  const double share = static_cast<double>(question.rescored) / std::max(1.0, rows);
  Plan whole(plan.ceilings());
  add_score_stage(whole, exact, inputs, {});
  Cost again = whole.stages().front().cost;
  again.flops *= share;
  again.flops_bf16 *= share;
  again.bytes_moved *= share;
  again.operator_calls *= share;
  again.disk_bytes = 0;
  plan.add("exact scores", again);
}

}  // namespace assay::attribute
