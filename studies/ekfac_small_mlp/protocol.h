// One data seed of the study: the trained network as a model of ours, its bank of retrainings, and the three questions
// asked of every method (retraining, the proximal Bregman objective, wrong labels). The study runs five seeds in full,
// the test one of them with fewer subsets.
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linalg_solve.h>

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <thread>

#include "assay/attribute/gradient_scorer.h"
#include "assay/attribute/methods_options.h"
#include "assay/core/philox.h"
#include "assay/curvature/gauss_newton.h"
#include "assay/data/batches.h"
#include "assay/evaluate/lds.h"
#include "assay/math/correlation.h"
#include "assay/math/detection.h"
#include "assay/math/summary.h"
#include "assay/nn/gradients.h"
#include "studies/ekfac_small_mlp/small_mlp.h"

namespace assay::studies {

inline data::Dataset as_dataset(const std::vector<Example>& examples) {
  data::Dataset dataset;
  for (const Example& example : examples) {
    data::Example each;
    for (const double x : example.x) each.features.push_back(static_cast<float>(x));
    each.label = example.label;
    dataset.examples.push_back(std::move(each));
  }
  data::assign_ids(dataset);
  return dataset;
}

inline nn::Model as_model(const Weights& w) {
  const nlohmann::json config{
      {"model_type", "mlp"}, {"features", kInputs}, {"hidden", {kHidden}}, {"outputs", kClasses}};
  nn::Model model = nn::initialize(nn::make_architecture(config), 0, at::kDouble);
  int64_t offset = 0;
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    at::Tensor& tensor = model.parameters()[i];
    tensor = at::from_blob(const_cast<double*>(w.data()) + offset, tensor.sizes(), at::kDouble).clone();
    offset += tensor.numel();
  }
  return model;
}

/// `task(i)` for each i below `count`, on both cores.
template <class Task>
void in_parallel(size_t count, const Task& task) {
  const size_t threads = std::max(1u, std::min(4u, std::thread::hardware_concurrency()));
  std::vector<std::thread> workers;
  for (size_t t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      for (size_t i = t; i < count; i += threads) task(i);
    });
  }
  for (std::thread& worker : workers) worker.join();
}

/// Random halves of the training set, each trained `seeds` times.
inline evaluate::RetrainingBank retrain(const Problem& problem, uint64_t seed, size_t subsets, size_t seeds) {
  evaluate::RetrainingBank bank;
  std::vector<int64_t> all(problem.train.size());
  std::iota(all.begin(), all.end(), 0);
  for (size_t j = 0; j < subsets; ++j) {
    std::vector<std::pair<uint64_t, int64_t>> order;
    for (const int64_t row : all)
      order.emplace_back(random_bits(seed, stream_of("study.subset") + j, static_cast<uint64_t>(row)), row);
    std::ranges::sort(order);
    bank.subsets.emplace_back();
    for (size_t i = 0; i < order.size() / 2; ++i) bank.subsets.back().push_back(order[i].second);
  }
  bank.measurement.assign(seeds, std::vector(subsets, std::vector<double>(problem.queries.size())));
  in_parallel(subsets * seeds, [&](size_t run) {
    const size_t r = run / subsets, j = run % subsets;
    const Weights w = train(problem.train, bank.subsets[j], random_bits(seed, stream_of("study.retraining"), r));
    for (size_t q = 0; q < problem.queries.size(); ++q) bank.measurement[r][j][q] = margin(w, problem.queries[q]);
  });
  return bank;
}

inline std::vector<std::vector<double>> as_rows(const at::Tensor& scores) {
  std::vector<std::vector<double>> rows;
  for (int64_t q = 0; q < scores.size(0); ++q) {
    const at::Tensor row = scores[q].to(at::kDouble).contiguous();
    rows.emplace_back(row.const_data_ptr<double>(), row.const_data_ptr<double>() + row.numel());
  }
  return rows;
}

struct Seed {
  explicit Seed(uint64_t number) : seed(number), problem(make_problem(number)) {
    std::vector<int64_t> all(problem.train.size());
    std::iota(all.begin(), all.end(), 0);
    weights = studies::train(problem.train, all, random_bits(number, stream_of("study.trained"), 0));
    model = as_model(weights);
    train = as_dataset(problem.train);
    queries = as_dataset(problem.queries);
    layers = model.architecture().match_layers("*");
  }

  attribute::Inputs inputs() const {
    return {.model = model,
            .train = {train},
            .queries = {queries},
            .measurement = nn::margin(),
            .layers = layers,
            .seed = seed};
  }
  attribute::Scores scores(const std::string& method, const attribute::Parts& parts = {}) const {
    const attribute::Inputs given = inputs();
    curvature::Workspace workspace;
    return attribute::make_scorer(parse_factory(method, attribute::method_table(), "method"), given, silent_progress())
        ->score({train}, parts, workspace, silent_progress());
  }
  curvature::FitRequest request(const curvature::Batches& batches, curvature::Labels labels) const {
    return {.model = model, .dataset = train, .batches = batches, .layers = layers, .labels = labels, .seed = seed};
  }
  at::Tensor with_curvature(std::shared_ptr<const curvature::Curvature> curvature, curvature::Damping damping) const {
    const attribute::GradientScorer scorer(
        inputs(), {.curvature = std::move(curvature), .damping = damping, .meaning = {}, .fitted = {}});
    curvature::Workspace workspace;
    return scorer.score({train}, {}, workspace, silent_progress()).total;
  }
  at::Tensor block_gauss_newton() const {
    const auto batches = data::plan_batches(train);
    return with_curvature(curvature::fit_gauss_newton(request(batches, curvature::Labels::Exact)),
                          curvature::Damping::relative(0.1));
  }

  uint64_t seed;
  Problem problem;
  Weights weights;
  nn::Model model;
  data::Dataset train, queries;
  std::vector<nn::LayerId> layers;
};

/// All layers' gradients of one pass side by side: [N,P].
inline at::Tensor flat_gradients(const Seed& seed, const data::Dataset& dataset, const nn::Measurement& measurement) {
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size()));
  std::iota(rows.begin(), rows.end(), 0);
  std::map<nn::LayerId, at::Tensor> parts;
  nn::stream_gradients(
      seed.model, data::make_batch(dataset, rows, at::kDouble), measurement, seed.layers,
      [&](const nn::FactoredGradient& gradient) { parts[gradient.layer] = gradient.dense().flatten(1); });
  return at::cat({parts.at(0), parts.at(1)}, 1);
}

/// Mean over queries of Pearson's r, over 32 training points, between predicted and actual change of the margin at the
/// minimum of the proximal Bregman objective (eps = 1/N).
struct PbrfCorrelation {
  double gauss_newton = 0, ekfac = 0, dot = 0;
};

inline PbrfCorrelation pbrf(const Seed& seed, size_t points = 32) {
  const auto n = static_cast<double>(seed.problem.train.size());
  at::Tensor full;
  for (const auto& pass : curvature::label_passes(curvature::Labels::Exact, 0, seed.model.architecture(), seed.train)) {
    const at::Tensor flat = flat_gradients(seed, seed.train, pass);
    full = full.defined() ? full.add(flat.t().matmul(flat)) : flat.t().matmul(flat);
  }
  full = full.div(n);
  const double damping = 0.1 * full.trace().item<double>() / kParameters;

  std::vector<std::vector<double>> actual(seed.problem.queries.size(), std::vector<double>(points));
  std::vector<Probabilities> at_minimum;
  for (const Example& example : seed.problem.train) at_minimum.push_back(predict(seed.weights, example));
  in_parallel(points, [&](size_t m) {
    Objective objective{seed.problem.train, std::vector<double>(seed.problem.train.size(), 1 / n), at_minimum, damping,
                        seed.weights};
    for (auto& target : objective.b) {
      for (double& value : target) value /= n;
    }
    objective.a[m] += 1 / n;
    objective.b[m][static_cast<size_t>(seed.problem.train[m].label)] += 1 / n;
    const Weights moved = descend(seed.weights, objective, 0.3, 1500, 0);
    for (size_t q = 0; q < actual.size(); ++q) {
      actual[q][m] = margin(moved, seed.problem.queries[q]) - margin(seed.weights, seed.problem.queries[q]);
    }
  });

  const at::Tensor f = flat_gradients(seed, seed.queries, nn::margin()),
                   loss = flat_gradients(seed, seed.train, nn::loss());
  const at::Tensor damped = full.add(at::eye(kParameters, at::kDouble), damping);
  const auto batches = data::plan_batches(seed.train);
  curvature::Workspace workspace;
  const auto ekfac =
      curvature::fit_ekfac(seed.request(batches, curvature::Labels::Sampled), workspace, silent_progress()).curvature;
  const auto correlation = [&](const at::Tensor& scores) {  // [Q,N], positive raises the margin
    const auto rows = as_rows(scores);
    std::vector<double> each;
    for (size_t q = 0; q < actual.size(); ++q)
      each.push_back(math::pearson(std::span(rows[q]).first(points), actual[q]));
    return math::mean(each);
  };
  return {correlation(at::linalg_solve(damped, f.t()).t().matmul(loss.t()).neg()),
          correlation(seed.with_curvature(ekfac, curvature::Damping::absolute(damping))),
          correlation(f.matmul(loss.t()).neg())};
}

/// AUROC of finding wrong labels: by EK-FAC's self-influence, and by the training loss.
inline std::pair<double, double> mislabel_auc(const Seed& seed) {
  const auto self = as_rows(seed.scores("ekfac", {.self_influence = true}).self_influence.unsqueeze(0))[0];
  std::vector<double> losses;
  std::vector<uint8_t> is_wrong;
  for (size_t i = 0; i < seed.problem.train.size(); ++i) {
    const Example& example = seed.problem.train[i];
    losses.push_back(-std::log(predict(seed.weights, example)[static_cast<size_t>(example.label)]));
    is_wrong.push_back(seed.problem.is_mislabelled[i] ? 1 : 0);
  }
  return {math::auroc(self, is_wrong), math::auroc(losses, is_wrong)};
}

}  // namespace assay::studies
