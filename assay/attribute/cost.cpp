#include "assay/attribute/cost.h"

#include <ATen/Parallel.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "assay/attribute/factors.h"
#include "assay/attribute/fit_rows.h"
#include "assay/attribute/gradient_scorer.h"
#include "assay/attribute/methods_options.h"
#include "assay/attribute/trust.h"
#include "assay/attribute/walk_shapes.h"
#include "assay/core/machine.h"
#include "assay/core/twin.h"
#include "assay/curvature/eigenbasis.h"
#include "assay/curvature/layer_groups.h"

namespace assay::attribute {
namespace {

constexpr double kEighOperations = 14;    // times n³: nine counted, at two thirds of the speed of products
constexpr double kOperatorsPerQuery = 5;  // of one captured pair, for each query whose scores are kept a position

WalkShapes shapes_of(const Inputs& inputs) {
  return shapes_of(inputs, inputs.train.dataset, inputs.queries.dataset.size());
}

// What a fit walks: of a large corpus a part of it, copied.
WalkShapes shapes_of_fit(const Inputs& inputs) {
  const auto rows = fit_rows(inputs.train.dataset, inputs.fit_examples, inputs.seed);
  if (!rows) return shapes_of(inputs);
  const data::Dataset drawn = data::subset(inputs.train.dataset, *rows);
  WalkShapes shapes = shapes_of(inputs, drawn, inputs.queries.dataset.size());
  shapes.resident += static_cast<double>(drawn.tokens() * static_cast<int64_t>(sizeof(int32_t)) +
                                         drawn.size() * static_cast<int64_t>(sizeof(data::Example)));
  return shapes;
}

// `count` documents of all lengths alike: which ones will be shown is not known before.
data::Dataset sample_by_length(const data::Dataset& documents, int64_t count) {
  const int64_t total = documents.size();
  if (count >= total) return documents;
  std::vector<int64_t> order(documents.examples.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {},
                           [&](int64_t row) { return documents.examples[static_cast<size_t>(row)].tokens.size(); });
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < count; ++i) rows.push_back(order[static_cast<size_t>((2 * i + 1) * total / (2 * count))]);
  return data::subset(documents, rows);
}

// The gradients of one layer of one batch, formed at once.
double batch_gradient_bytes(const WalkShapes& shapes) {
  return 2 * shapes.element_bytes * shapes.largest_gradient * std::max(1.0, shapes.examples / shapes.batches);
}

// The statistics of all layers, and of the largest group that is held at once; a group costs a walk of its own.
struct Held {
  double all = 0, at_once = 0, walks = 1;
};

Held held(curvature::Statistics statistics, const Inputs& inputs) {
  const nn::Architecture& architecture = inputs.model.architecture();
  const at::ScalarType dtype = inputs.model.dtype();
  Held held{.all = static_cast<double>(statistics_bytes(statistics, architecture, inputs.layers, dtype)), .walks = 0};
  for (const auto& group : layer_groups(statistics, architecture, inputs.layers, dtype, inputs.memory_bytes)) {
    held.walks += 1;
    held.at_once =
        std::max(held.at_once, static_cast<double>(statistics_bytes(statistics, architecture, group, dtype)));
  }
  return held;
}

// Walks of which each does a part of the work on top, and all of the walk below it.
Cost repeated(Cost walk, const Held& held) {
  walk.flops *= held.walks;
  walk.flops_bf16 *= held.walks;
  walk.bytes_moved *= held.walks;
  walk.operator_calls *= held.walks;
  walk.peak_bytes += static_cast<int64_t>(held.at_once);
  walk.disk_bytes = static_cast<int64_t>(held.all);
  return walk;
}

// Of so many walks, all after one over the same batches: they lack the products of the head where it is remembered, and
// hold what is.
Cost remembering(const WalkShapes& shapes, Cost cost, double walks) {
  if (shapes.head == 0) return cost;
  products_of(shapes, cost) -= walks * shapes.head * shapes.remembered;
  if (!ASSAY_TWIN("attribute.plan_without_remembered"))
    cost.peak_bytes += static_cast<int64_t>(shapes.remembered_bytes);
  return cost;
}

Cost covariance_walk(const WalkShapes& shapes, const Held& held) {
  Cost cost = repeated(gradient_walk(shapes), held);
  products_of(shapes, cost) += 2 * (shapes.squares_in + shapes.squares_out) * shapes.positions;
  cost.bytes_moved += 3 * shapes.element_bytes * (shapes.squares_in + shapes.squares_out) * shapes.batches;
  return cost;
}

// Side by side, one a thread: no sooner than the largest alone takes.
Cost decompositions(const WalkShapes& shapes, const Held& held, int64_t memory_bytes) {
  const int64_t at_once = curvature::decomposed_at_once(shapes.largest_side, shapes.dtype, memory_bytes);
  const double largest = std::pow(static_cast<double>(shapes.largest_side), 3) * at::get_num_threads();
  Cost cost;
  cost.flops = kEighOperations * std::max(shapes.cubes, largest);
  cost.operator_calls = 20 * shapes.layers;
  cost.peak_bytes = static_cast<int64_t>(shapes.resident + 2 * held.at_once);
  cost.peak_bytes += at_once * curvature::decomposition_bytes(shapes.largest_side, shapes.dtype);
  return cost;
}

Cost moment_walk(const WalkShapes& shapes, const Held& held, bool is_rotated) {
  Cost cost = repeated(gradient_walk(shapes), held);
  const double rotations = is_rotated ? shapes.squares_in + shapes.squares_out : 0;
  products_of(shapes, cost) += 2 * (rotations + shapes.tracked) * shapes.positions;
  cost.bytes_moved += 4 * shapes.element_bytes * shapes.tracked * shapes.examples;
  cost.peak_bytes += static_cast<int64_t>(batch_gradient_bytes(shapes));
  cost.disk_bytes = static_cast<int64_t>(shapes.element_bytes * shapes.tracked);
  return cost;
}

// Differentiates the queries one by one and, with rotations, carries each into the eigenbasis and back.
Cost prepared_queries(const WalkShapes& shapes, bool is_rotated) {
  Cost cost;
  double& products = products_of(shapes, cost);
  products = 2 * (2 * shapes.weights + shapes.tracked) * shapes.query_positions;
  if (is_rotated) products += 2 * shapes.queries * shapes.solves;
  cost.bytes_moved = 6 * shapes.element_bytes * shapes.tracked * shapes.queries;
  cost.operator_calls = shapes.queries * (shapes.blocks * kOperatorsPerBlock + 2 * shapes.layers * kOperatorsPerLayer);
  return cost;
}

// walks: over the documents; direction_bytes: what is held of the queries in each.
Cost score_walk(const WalkShapes& shapes, const Parts& parts, bool has_self, double walks, double direction_bytes) {
  Cost cost = gradient_walk(shapes);
  const double queries = shapes.queries / walks;
  double& products = products_of(shapes, cost);
  products += 2 * shapes.tracked * (shapes.positions + queries * shapes.examples);
  if (parts.per_token) {  // each query's direction is multiplied with every position's pair on its own
    products += 2 * queries * shapes.tracked * shapes.positions;
    cost.bytes_moved += 4 * shapes.element_bytes * queries * shapes.narrow * shapes.positions;
    cost.operator_calls += kOperatorsPerQuery * queries * shapes.layers * shapes.batches;
  }
  if (has_self) products += 2 * (shapes.squares_in + shapes.squares_out + shapes.tracked) * shapes.positions;
  cost.bytes_moved += 3 * shapes.element_bytes * shapes.tracked * shapes.examples;
  if (has_self)
    cost.peak_bytes +=
        static_cast<int64_t>(shapes.element_bytes * (shapes.squares_in + shapes.squares_out + shapes.tracked));
  cost.flops *= walks;
  cost.flops_bf16 *= walks;
  cost.bytes_moved *= walks;
  cost.operator_calls *= walks;
  const double numbers = shapes.queries * shapes.examples *
                         (1 + (parts.per_token ? shapes.longest : 0) + (parts.per_layer ? shapes.layers : 0));
  const double held = shapes.element_bytes * numbers;
  const double while_walking = direction_bytes + batch_gradient_bytes(shapes) +
                               (parts.per_token ? 2 * shapes.element_bytes * queries * shapes.widest_batch : 0);
  // Later a second copy of the scores: of several walks joined, or as float32 for the file.
  const double afterwards = std::max(walks > 1 ? held : 0, shapes.element_bytes > 4 ? 4 * numbers : 0);
  if (!ASSAY_TWIN("attribute.plan_without_scores"))
    cost.peak_bytes += static_cast<int64_t>(held + std::max(while_walking, afterwards));
  cost.disk_bytes = static_cast<int64_t>(4 * numbers);
  return cost;
}

int64_t rank_of(const FactoryCall& method) {
  return fits_curvature(method) && !method.is_word("rank", "full") ? method.integer("rank") : 0;
}

// Everything that scoring by gradients does once the curvature is there.
// follows_a_fit: on the same documents, just now.
Cost gradient_scores(const WalkShapes& shapes, const FactoryCall& method, const Inputs& inputs, const Parts& parts,
                     bool follows_a_fit) {
  const bool is_quotient = method.name() == "cosine" || method.name() == "relatif";
  const bool is_rotated = fits_curvature(method) && curvature_family(method) != "diagonal";
  const int64_t rank = rank_of(method);
  const nn::Architecture& architecture = inputs.model.architecture();
  const QueryGroups groups = query_groups(architecture, inputs.layers, inputs.model.dtype(), rank, inputs.memory_bytes);
  const auto walks = static_cast<double>(planned_walks(method, inputs, static_cast<int64_t>(shapes.queries)));
  const auto bytes_of = [&](int64_t queries, int64_t of_rank) {  // of directions, with the copy that a solve makes
    const double held = std::min(shapes.queries, static_cast<double>(queries));
    return shapes.element_bytes * held *
           static_cast<double>(numbers_of_a_direction(architecture, inputs.layers, of_rank));
  };
  const double direction_bytes = rank == 0 ? 2 * bytes_of(groups.in_a_walk, 0)
                                           : bytes_of(groups.in_a_walk, rank) + 2 * bytes_of(groups.at_full_size, 0);
  Cost cost = score_walk(shapes, parts, is_quotient || parts.self_influence, walks, direction_bytes);
  if (follows_a_fit) cost = remembering(shapes, cost, walks);
  cost += prepared_queries(shapes, is_rotated);
  if (fits_curvature(method)) {  // whatever is solved has been read, and stays where it was mapped
    const auto bytes = [&](curvature::Statistics statistics) {
      return statistics_bytes(statistics, architecture, inputs.layers, inputs.model.dtype());
    };
    if (is_rotated) cost.peak_bytes += bytes(curvature::Statistics::Covariances);
    if (curvature_family(method) != "kfac")
      cost.peak_bytes += static_cast<int64_t>(shapes.element_bytes * shapes.tracked);
  }
  return cost;
}

}  // namespace

void add_fit_stages(Plan& plan, const FactoryCall& method, const Inputs& inputs, const std::string& suffix) {
  if (!fits_curvature(method)) return;
  const WalkShapes shapes = shapes_of_fit(inputs);
  const CachedFactors cached = cached_factors(method, inputs);
  const std::string family = curvature_family(method);
  const bool is_kronecker = family != "diagonal";
  if (is_kronecker && !cached.bases) {
    const Held covariances = held(curvature::Statistics::Covariances, inputs);
    const Cost cost = remembering(shapes, covariance_walk(shapes, covariances), covariances.walks - 1);
    plan.add("covariances" + suffix, cost);
    plan.add("eigendecompositions" + suffix,
             remembering(shapes, decompositions(shapes, covariances, inputs.memory_bytes), 0));
  }
  if (family != "kfac" && !cached.moments) {
    const Held moments =
        held(is_kronecker ? curvature::Statistics::RotatedMoments : curvature::Statistics::Moments, inputs);
    const bool is_first = !is_kronecker || cached.bases;
    Cost cost = remembering(shapes, moment_walk(shapes, moments, is_kronecker), moments.walks - (is_first ? 1 : 0));
    if (is_kronecker && shapes.is_bf16) {  // the rounded rotations of all layers, whatever the groups
      cost.peak_bytes += statistics_bytes(curvature::Statistics::Covariances, inputs.model.architecture(),
                                          inputs.layers, inputs.model.dtype()) /
                         2;
    }
    plan.add("eigenvalues" + suffix, cost);
  }
}

void add_basis_stages(Plan& plan, const Inputs& inputs) {
  if (has_empirical_bases(inputs)) return;
  const WalkShapes shapes = shapes_of_fit(inputs);
  const Held covariances = held(curvature::Statistics::Covariances, inputs);
  plan.add("covariances", covariance_walk(shapes, covariances));
  plan.add("eigendecompositions", decompositions(shapes, covariances, inputs.memory_bytes));
}

void add_score_stage(Plan& plan, const FactoryCall& method, const Inputs& inputs, const Parts& parts,
                     const std::string& suffix, const Inputs* fitted_on) {
  WalkShapes shapes = shapes_of(inputs);
  if (!uses_gradients(method)) {
    shapes.walked = 1;  // nothing is summed: one batch after the other
    Cost cost{.peak_bytes = static_cast<int64_t>(shapes.resident)};
    if (method.name() == "representation") {
      cost = gradient_walk(shapes);
      cost.flops /= 2;
      cost.flops_bf16 /= 2;
    }
    plan.add("scores" + suffix, cost);
    return;
  }
  const bool follows_a_fit = fitted_on != nullptr && fits_curvature(method) &&
                             &fitted_on->train.dataset == &inputs.train.dataset &&
                             walks_of_fit(method, cached_factors(method, *fitted_on)) > 0 &&
                             !fit_rows(inputs.train.dataset, inputs.fit_examples, inputs.seed);
  plan.add("scores" + suffix, gradient_scores(shapes, method, inputs, parts, follows_a_fit));
}

int64_t planned_walks(const FactoryCall& method, const Inputs& inputs, int64_t queries) {
  const int64_t at_once = query_groups(inputs.model.architecture(), inputs.layers, inputs.model.dtype(),
                                       rank_of(method), inputs.memory_bytes)
                              .in_a_walk;
  return std::max<int64_t>(1, (queries + at_once - 1) / at_once);
}

void add_shown_stage(Plan& plan, const FactoryCall& method, const Inputs& inputs, int64_t queries, int64_t each) {
  if (!uses_gradients(method)) return;
  const int64_t documents = inputs.train.dataset.size();
  const int64_t shown = std::min(documents, 2 * std::min(each, documents) * queries);  // both ends, no two alike
  const WalkShapes shapes = shapes_of(inputs, sample_by_length(inputs.train.dataset, shown), queries);
  Cost cost = gradient_scores(shapes, method, inputs, {.per_token = true, .per_layer = true}, false);
  cost.disk_bytes = 0;
  plan.add("shown documents", cost);
}

Cost trust_cost(const Inputs& inputs, int64_t queries) {
  const WalkShapes shapes = shapes_of(inputs);
  const int64_t documents = inputs.train.dataset.size();
  const TrustCounts counts = trust_counts(documents);
  const int64_t in_flight =
      std::min(queries, train::queries_in_flight(inputs.model, trust_memory_bytes(inputs.memory_bytes)));
  const double rounds = std::ceil(static_cast<double>(queries) / static_cast<double>(in_flight));
  const auto stepped_on = [&](int64_t askers) {
    return static_cast<double>(std::min(documents, counts.top * askers + counts.random));
  };
  const double searched = stepped_on(queries);                   // once each, however many ask
  const double differentiated = rounds * stepped_on(in_flight);  // in every round in which somebody asks
  const double measured = static_cast<double>(queries * (counts.top + counts.random));
  const double length = shapes.positions / std::max(1.0, shapes.examples);
  const double query_length = shapes.query_positions / std::max(1.0, shapes.queries);
  constexpr double kSearchPasses = 3;
  Cost cost;
  cost.flops = shapes.weights * (length * (6 * differentiated + 2 * kSearchPasses * searched) +
                                 query_length * (2 * measured + 6 * static_cast<double>(queries)));
  cost.bytes_moved = (3 * (3 * differentiated + kSearchPasses * searched) + 2 * measured) * shapes.parameter_bytes;
  // One document at a time, recorded: an operator then costs its node and allocation too, about four plain ones.
  cost.operator_calls = 4 * (3 * differentiated + kSearchPasses * searched) * shapes.blocks * kOperatorsPerBlock;
  // Beside the model the patched weights, the document's gradient and those of the queries in flight; and one parameter
  // once more, where two uses of it are added up.
  int64_t largest = 0;
  for (const at::Tensor& tensor : inputs.model.parameters().tensors()) largest = std::max(largest, tensor.numel());
  const int64_t copies = 2 + in_flight + (shapes.is_bf16 ? 1 : 0);  // a model of bf16 is widened once
  cost.peak_bytes = static_cast<int64_t>(shapes.resident + static_cast<double>(copies) * shapes.parameter_bytes +
                                         shapes.element_bytes * static_cast<double>(largest) +
                                         shapes.element_bytes * shapes.activations * shapes.longest);
  return cost;
}

}  // namespace assay::attribute
