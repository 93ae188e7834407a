// Influence scores against closed forms and explicit gradients: checks 1, 2, 6, 7, 9, 10 of the EK-FAC sheet.
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "assay/attribute/directions.h"
#include "assay/attribute/score_walk.h"
#include "assay/core/twin.h"
#include "assay/curvature/covariance.h"
#include "assay/curvature/fit.h"
#include "assay/curvature/identity.h"
#include "assay/curvature/second_moments.h"
#include "assay/data/batches.h"
#include "assay/math/correlation.h"
#include "tests/support/errors.h"
#include "tests/support/scoring.h"

namespace assay::attribute {
namespace {

const ToyMlp kRegression{.features = 4, .hidden = {}, .outputs = 2, .task = "regression"};

// x with the appended 1, [N,M], and the residuals prediction - y, [N,O], of a linear model.
struct Linear {
  at::Tensor inputs, residuals;

  Linear(const nn::Model& model, const data::Dataset& dataset) {
    std::vector<int64_t> rows(static_cast<size_t>(dataset.size()));
    std::iota(rows.begin(), rows.end(), 0);
    const data::Batch batch = data::make_batch(dataset, rows, at::kDouble);
    inputs = at::cat({batch.features, at::ones({dataset.size(), 1}, at::kDouble)}, 1);
    residuals = model.run(batch).output.hidden.sub(batch.values).squeeze(1);
  }
  at::Tensor gradients() const { return residuals.unsqueeze(2).mul(inputs.unsqueeze(1)); }  // [N,O,M]
};

// Check 1: P = I ⊗ A, so scores equal ∇fᵀ (A + λ)⁻¹ ∇ℓ with λ = 0.1 times the mean eigenvalue, tr(A)/M.
TEST(Influence, OnLinearRegressionEqualsTheClosedForm) {
  const Scoring scoring{toy_mlp(kRegression), toy_arrays(40, kRegression, 1), toy_arrays(5, kRegression, 2)};
  const Linear train(scoring.model, scoring.train), queries(scoring.model, scoring.queries);
  const at::Tensor a = train.inputs.t().matmul(train.inputs).div(40);
  const double damping = 0.1 * a.trace().item<double>() / 5;
  const at::Tensor damped = a.add(at::eye(5, at::kDouble), damping);
  const at::Tensor directions = at::linalg_solve(damped, queries.gradients().transpose(1, 2)).transpose(1, 2);
  const at::Tensor expected = directions.flatten(1).matmul(train.gradients().flatten(1).t());
  const auto difference = [&](const char* method) {
    return largest_difference(scoring.total(method), expected) / largest(expected);
  };
  EXPECT_LT(difference("ekfac(damping=0.1,labels=exact)"), 1e-10);
  EXPECT_LT(difference("kfac(damping=0.1,labels=exact)"), 1e-10);
  const ScopedTwin twin("attribute.wrong_sign");
  EXPECT_GT(difference("ekfac(damping=0.1,labels=exact)"), 1);
}

// Check 2: ridge regression, weights 1/n kept. The estimate lacks the factor 1/(1 - h_ii) of the true change, exactly.
TEST(Influence, OnRidgeRegressionIsLeaveOneOutUpToLeverage) {
  const int64_t n = 30;
  const double mu = 0.2;
  const ToyMlp shape{.features = 4, .hidden = {}, .outputs = 1, .task = "regression", .bias = false};
  nn::Model model = toy_mlp(shape);
  const data::Dataset train = toy_arrays(n, shape);
  std::vector<int64_t> rows(static_cast<size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  const data::Batch batch = data::make_batch(train, rows, at::kDouble);
  const at::Tensor x = batch.features, y = batch.values.view({n, 1});
  const at::Tensor h = x.t().matmul(x).div(n).add(at::eye(4, at::kDouble), mu);
  const at::Tensor theta = at::linalg_solve(h, x.t().matmul(y).div(n));  // [4,1]
  model.parameters()[0] = theta.t().contiguous();

  const auto batches = batches_of(train, 8);
  curvature::Workspace workspace;
  const curvature::FitRequest request{.model = model,
                                      .dataset = train,
                                      .batches = batches,
                                      .layers = all_layers(model),
                                      .labels = curvature::Labels::Exact};
  const auto ekfac = curvature::fit_ekfac(request, workspace, silent_progress()).curvature;
  const at::Tensor gradients = flat_gradients(model, train, nn::loss()).view({n, 1, 4});
  const auto worst_error = [&] {
    const at::Tensor estimated = ekfac->solve(gradients, 0, curvature::Damping::absolute(mu)).div(n);  // without i
    double worst = 0;
    for (int64_t i = 0; i < n; ++i) {
      const at::Tensor xi = x.narrow(0, i, 1), yi = y.narrow(0, i, 1);
      const at::Tensor without =
          at::linalg_solve(h.sub(xi.t().matmul(xi).div(n)), x.t().matmul(y).sub(xi.t().matmul(yi)).div(n));
      const double leverage = xi.matmul(at::linalg_solve(h, xi.t())).item<double>() / static_cast<double>(n);
      const at::Tensor actual = without.sub(theta).view({1, 4});
      worst = std::max(worst, largest_difference(estimated[i].div(1 - leverage), actual) / largest(actual));
    }
    return worst;
  };
  EXPECT_LT(worst_error(), 1e-10);
  const ScopedTwin twin("curvature.damping_added_in_place");  // the ridge counts twice: μ = 0.2 beside inputs of size 1
  EXPECT_GT(worst_error(), 1e-2);
}

// Check 6.
TEST(Identity, IsTheDotProductOfGradients) {
  const Scoring scoring{toy_llama(), toy_texts(12, 2, 11, 1), toy_texts(4, 3, 8, 2)};
  const at::Tensor expected = flat_gradients(scoring.model, scoring.queries, nn::loss())
                                  .matmul(flat_gradients(scoring.model, scoring.train, nn::loss()).t());
  const auto difference = [&] { return largest_difference(scoring.total("identity"), expected) / largest(expected); };
  EXPECT_LT(difference(), 1e-12);
  for (const char* error : {"nn.mean_for_sum", "attribute.wrong_sign"}) {
    const ScopedTwin twin(error);
    EXPECT_GT(difference(), 1e-3) << error;
  }
}

TEST(Identity, CountsASharedLayerInEveryCall) {
  const ToyMlp shape{.features = 4, .hidden = {6, 6}, .outputs = 3, .repeats = 3};
  const Scoring scoring{toy_mlp(shape), toy_arrays(10, shape, 1), toy_arrays(3, shape, 2)};
  const nn::Model& model = scoring.model;
  // Finite differences of the loss along each query's gradient: ⟨∇f, ∇ℓ_i⟩, blind to how calls are captured.
  const auto shared = model.architecture().match_layers("layers.1");
  const std::vector<int64_t> first{0};
  const auto total = [&] {
    Scoring one = scoring;
    one.queries = data::subset(scoring.queries, first);
    Inputs inputs = one.inputs();
    inputs.layers = shared;
    curvature::Workspace workspace;
    return make_scorer(parse_factory("identity", method_table(), "method"), inputs, silent_progress())
        ->score({scoring.train}, {}, workspace, silent_progress())
        .total;
  };
  const Directions u = query_gradients(model, scoring.queries, first, nn::loss(), shared);
  const at::Tensor step = u.at(shared[0]).squeeze(0);  // [O,M]: weight, then bias
  const auto losses_at = [&](double t) {
    nn::Model moved = model.with(model.parameters().clone());
    moved.parameters()[2].add_(step.narrow(1, 0, 6), t);
    moved.parameters()[3].add_(step.select(1, 6), t);
    std::vector<int64_t> rows(10);
    std::iota(rows.begin(), rows.end(), 0);
    return nn::evaluate(moved, data::make_batch(scoring.train, rows, at::kDouble), nn::loss());
  };
  const double t = 1e-5;  // third derivatives of size 10 leave 1e-9; rounding 1e-11
  const at::Tensor slope = losses_at(t).sub(losses_at(-t)).div(2 * t);
  EXPECT_LT(largest_difference(total().squeeze(0), slope), 1e-7);
  const ScopedTwin twin("nn.repeated_layer_counted_once");
  EXPECT_GT(largest_difference(total().squeeze(0), slope), 1e-3);
}

// Check 6, second half. A document's own norm and its score as a query come by different ways; a damping of 1, where
// 0.1 is the default, shows whether both ways add the same.
TEST(Influence, OfItselfIsTheDiagonal) {
  Scoring scoring{toy_llama(), toy_texts(8, 2, 9), toy_texts(8, 2, 9)};
  scoring.parts.self_influence = true;
  for (const char* method : {"ekfac(damping=1)", "kfac(damping=1)", "diagonal(damping=1)", "identity"}) {
    const auto gap = [&] {
      const Scores scores = scoring(method);
      EXPECT_GE(scores.self_influence.min().item<double>(), 0);
      const at::Tensor diagonal = scores.total.diagonal();
      return largest_difference(scores.self_influence, diagonal) / largest(diagonal);
    };
    EXPECT_LT(gap(), 1e-10) << method;
    const ScopedTwin twin("attribute.self_at_another_damping");
    EXPECT_GT(gap(), 1e-2) << method;
  }
}

// Check 7.
TEST(Influence, AddsUpOverLayersAndTokens) {
  Scoring scoring{toy_llama(1, at::kFloat), toy_texts(9, 2, 12, 1), toy_texts(3, 4, 7, 2)};
  scoring.parts = {.per_token = true, .per_layer = true};
  for (const char* method : {"ekfac", "relatif", "cosine"}) {
    const Scores scores = scoring(method);
    const double rounding = 1e-5 * largest(scores.total);  // float32 sums of a few hundred terms
    EXPECT_LT(largest_difference(scores.per_layer.sum({0}), scores.total), rounding) << method;
    EXPECT_LT(largest_difference(scores.per_token.sum({2}), scores.total), rounding) << method;
    EXPECT_EQ(scores.per_token.size(2), scoring.train.longest() - 1);
    EXPECT_EQ(scores.per_layer.size(0), static_cast<int64_t>(all_layers(scoring.model).size()));
  }
  const ScopedTwin twin("attribute.parts_not_scaled");  // seen where there is a scale
  const Scores scores = scoring("relatif");
  EXPECT_GT(largest_difference(scores.per_layer.sum({0}), scores.total), 1e-3 * largest(scores.total));
  EXPECT_GT(largest_difference(scores.per_token.sum({2}), scores.total), 1e-3 * largest(scores.total));
}

TEST(Influence, OfAGroupIsTheSumOfItsMembers) {
  Scoring scoring{toy_llama(), toy_texts(6, 3, 9, 1), toy_texts(3, 4, 7, 2)};
  // The gradient of the summed measurement: the queries as one.
  const std::vector<int64_t> all{0, 1, 2};
  const auto layers = all_layers(scoring.model);
  const Directions apart = query_gradients(scoring.model, scoring.queries, all, nn::loss(), layers);
  std::map<nn::LayerId, at::Tensor> summed;
  for (const nn::LayerId layer : layers) summed[layer] = apart.at(layer).sum({0}, true);
  const auto batches = data::plan_batches(scoring.train);
  curvature::Workspace workspace;
  const curvature::FitRequest request{
      .model = scoring.model, .dataset = scoring.train, .batches = batches, .layers = layers, .seed = scoring.seed};
  const auto ekfac = curvature::fit_ekfac(request, workspace, silent_progress()).curvature;
  const Directions group = Directions(std::move(summed)).solve(*ekfac, curvature::Damping::relative(0.1));
  const Walked walked =
      walk_documents(scoring.model, scoring.train, batches, group, {}, {}, "group", workspace, silent_progress());
  const auto difference = [&] {
    const at::Tensor rows = scoring.total("ekfac").sum({0});
    return largest_difference(walked.total.squeeze(0), rows) / largest(rows);
  };
  EXPECT_LT(difference(), 1e-10);
  for (const char* error : {"attribute.wrong_sign", "curvature.damping_added_in_place"}) {
    const ScopedTwin twin(error);
    EXPECT_GT(difference(), 1e-3) << error;
  }
}

// Check 9.
TEST(QueryRank, OfFullSizeChangesNothingAndOfHalfKeepsTheOrder) {
  const ToyMlp shape{.features = 8, .hidden = {12}, .outputs = 4};
  const Scoring scoring{toy_mlp(shape), toy_arrays(60, shape, 1), toy_arrays(6, shape, 2), nn::log_probability()};
  const at::Tensor full = scoring.total("ekfac");
  const auto difference = [&] { return largest_difference(scoring.total("ekfac(rank=12)"), full) / largest(full); };
  // min(O,M) is 9 in the first layer and 4 in the second; one array has a gradient of rank 1, which EK-FAC spreads.
  const auto least_agreement = [&] {
    const at::Tensor half = scoring.total("ekfac(rank=2)");
    double least = 1;
    for (int64_t q = 0; q < 6; ++q) {
      const at::Tensor a = full[q].contiguous(), b = half[q].contiguous();
      least = std::min(least, math::spearman({a.data_ptr<double>(), 60}, {b.data_ptr<double>(), 60}));
    }
    return least;
  };
  EXPECT_LT(difference(), 1e-10);
  EXPECT_GT(least_agreement(), 0.9);
  for (const char* error : {"attribute.wrong_sign", "attribute.rank_without_singular_values"}) {
    const ScopedTwin twin(error);
    EXPECT_GT(difference(), 0.1) << error;
    EXPECT_LT(least_agreement(), 0.9) << error;
  }
}

TEST(QueryRank, SaysWhatItLost) {
  const Scoring scoring{toy_llama(), {}, toy_texts(4, 5, 8, 2)};
  const std::vector<int64_t> rows{0, 1, 2, 3};
  const auto gradients = [&] {
    return query_gradients(scoring.model, scoring.queries, rows, nn::loss(), all_layers(scoring.model));
  };
  const Directions full = gradients();
  const auto difference = [&] {
    const Directions low = gradients().compress(1);
    at::Tensor lost = at::zeros({4}, at::kDouble), whole = lost.clone();
    for (const nn::LayerId layer : full.layers()) {
      lost.add_(full.at(layer).sub(low.at(layer)).square().sum({1, 2}));
      whole.add_(full.at(layer).square().sum({1, 2}));
    }
    return largest_difference(low.compression_errors(), lost.div(whole).sqrt());
  };
  EXPECT_LT(difference(), 1e-6);  // the root of a difference of squares, each within 1e-14 of the whole
  const ScopedTwin twin("attribute.lost_of_the_last_layer");
  EXPECT_GT(difference(), 1e-3);
}

// The sign that reports print, by a step of training on each document: what the score promises must happen.
TEST(EveryMeasurement, RisesWithPositiveScores) {
  const ToyMlp shape;
  const nn::Model model = toy_mlp(shape);
  const data::Dataset train = toy_arrays(20, shape, 1), queries = toy_arrays(2, shape, 2);
  for (const auto& [name, sign] : {std::pair{"logprob", 1.0}, {"margin", 1.0}, {"loss", -1.0}}) {
    const double direction = sign;  // clang 14 captures no structured binding
    const nn::Measurement measurement = nn::measurement_named(name);
    const auto disagreement = [&] {
      const at::Tensor scores = Scoring{model, train, queries, measurement}.total("identity");
      const at::Tensor gradients = flat_gradients(model, train, nn::loss());
      const std::vector<int64_t> both{0, 1};
      const data::Batch batch = data::make_batch(queries, both, at::kDouble);
      double worst = 0;
      for (int64_t i = 0; i < 20; ++i) {
        nn::Model stepped = model.with(model.parameters().clone());
        const at::Tensor first = gradients[i].narrow(0, 0, 30).view({6, 5}),
                         second = gradients[i].narrow(0, 30, 21).view({3, 7});
        const double rate = 1e-6;
        stepped.parameters()[0].sub_(first.narrow(1, 0, 4), rate);
        stepped.parameters()[1].sub_(first.select(1, 4), rate);
        stepped.parameters()[2].sub_(second.narrow(1, 0, 6), rate);
        stepped.parameters()[3].sub_(second.select(1, 6), rate);
        const at::Tensor change =
            nn::evaluate(stepped, batch, measurement).sub(nn::evaluate(model, batch, measurement)).div(rate);
        worst = std::max(worst, largest_difference(scores.select(1, i).mul(direction), change));
      }
      return worst;
    };
    EXPECT_LT(disagreement(), 1e-3) << name;  // second order: rate times curvature times squared norms, below 1e-4
    const ScopedTwin twin("attribute.wrong_sign");
    EXPECT_GT(disagreement(), 1e-1) << name;
  }
}

// EK-FAC fitted to a loss of one's own on the data's labels, by the two passes that fits are made of.
curvature::FactoredCurvature ekfac_of(const nn::Model& model, const data::Dataset& dataset,
                                      const nn::Measurement& training_loss) {
  const auto layers = all_layers(model);
  std::vector<int64_t> rows(static_cast<size_t>(dataset.size()));
  std::iota(rows.begin(), rows.end(), 0);
  const data::Batch batch = data::make_batch(dataset, rows, model.dtype());
  curvature::Covariances covariances(model.architecture(), layers, model.dtype());
  nn::stream_gradients(model, batch, training_loss, layers,
                       [&](const nn::FactoredGradient& gradient) { covariances.add(gradient); });
  std::map<nn::LayerId, curvature::FactoredBlock> blocks;
  for (const nn::LayerId layer : layers) {
    const curvature::KroneckerFactors factors = covariances.finish(layer);
    blocks[layer] = {curvature::eigen_of(factors.output).vectors, curvature::eigen_of(factors.input).vectors, {}};
  }
  curvature::SecondMoments moments(model.architecture(), blocks, model.dtype());
  moments.count(batch.size());
  nn::stream_gradients(model, batch, training_loss, layers,
                       [&](const nn::FactoredGradient& gradient) { moments.add(gradient); });
  for (const nn::LayerId layer : layers) blocks[layer].eigenvalues = moments.finish(layer);
  return curvature::FactoredCurvature("ekfac", std::move(blocks));
}

// Check 10, on scores with relative damping.
TEST(Influence, FollowsTheScaleOfTheLossAsItMust) {
  const ToyMlp shape{.features = 3, .hidden = {5}, .outputs = 2, .task = "regression"};
  const double c = 4;
  const Scoring plain{toy_mlp(shape), toy_arrays(25, shape, 1), toy_arrays(3, shape, 2)};
  const at::Tensor unscaled = plain.total("ekfac(labels=empirical)");
  nn::Measurement times_c = nn::loss();
  times_c.evaluate = [c, inner = times_c.evaluate](const nn::Output& output, const data::Batch& batch) {
    return inner(output, batch).mul(c);
  };
  const curvature::FactoredCurvature of_scaled = ekfac_of(plain.model, plain.train, times_c);
  const at::Tensor documents = flat_gradients(plain.model, plain.train, times_c);
  const std::vector<int64_t> all{0, 1, 2};
  const auto difference = [&](const nn::Measurement& f, const at::Tensor& expected) {
    const Directions u = query_gradients(plain.model, plain.queries, all, f, all_layers(plain.model))
                             .solve(of_scaled, curvature::Damping::relative(0.1));
    const at::Tensor flat = at::cat({u.at(0).flatten(1), u.at(1).flatten(1)}, 1);
    return largest_difference(flat.matmul(documents.t()), expected) / largest(expected);
  };
  EXPECT_LT(difference(nn::loss(), unscaled.div(c)), 1e-10);
  EXPECT_LT(difference(times_c, unscaled), 1e-10);
  const ScopedTwin twin("curvature.damping_added_in_place");
  EXPECT_GT(difference(nn::loss(), unscaled.div(c)), 1e-3);
  EXPECT_GT(difference(times_c, unscaled), 1e-3);
}

TEST(Documents, WithoutAGradientScoreZero) {
  data::Dataset train = toy_texts(4, 3, 6);
  train.examples[2].tokens.resize(1);  // nothing is predicted
  data::assign_ids(train);
  const Scoring scoring{toy_llama(), train, toy_texts(2, 4, 6, 2)};
  for (const char* method : {"ekfac", "kfac", "diagonal", "identity", "cosine", "relatif"}) {
    const at::Tensor total = scoring.total(method);
    EXPECT_TRUE(total.isfinite().all().item<bool>()) << method;
    EXPECT_EQ(largest(total.select(1, 2)), 0) << method;
  }
}

TEST(Documents, CanBeOneAndQueriesToo) {
  const Scoring scoring{toy_llama(), toy_texts(1, 5, 5), toy_texts(1, 2, 2, 2), nn::log_probability()};
  for (const char* method : {"ekfac", "relatif", "cosine", "representation", "random"}) {
    EXPECT_TRUE(scoring.total(method).isfinite().all().item<bool>()) << method;
  }
}

TEST(Queries, ThatExceedTheMemoryAreScoredInFurtherWalks) {
  Scoring scoring{toy_llama(), toy_texts(6, 3, 9, 1), toy_texts(5, 4, 7, 2)};
  scoring.parts = {.per_token = true, .per_layer = true, .self_influence = true};
  const Scores at_once = scoring("relatif");
  scoring.memory_bytes = 100000;  // two queries' directions
  const Scores apart = scoring("relatif");
  EXPECT_LT(largest_difference(apart.total, at_once.total), 1e-10 * largest(at_once.total));
  EXPECT_LT(largest_difference(apart.per_layer, at_once.per_layer), 1e-10 * largest(at_once.per_layer));
  EXPECT_LT(largest_difference(apart.per_token, at_once.per_token), 1e-10 * largest(at_once.per_token));
  EXPECT_LT(largest_difference(apart.self_influence, at_once.self_influence), 1e-10 * largest(at_once.self_influence));
  const ScopedTwin twin("attribute.first_queries_in_every_walk");
  EXPECT_GT(largest_difference(scoring("relatif").total, at_once.total), 1e-2 * largest(at_once.total));
}

TEST(Parts, AreRefusedWhereAMethodHasNone) {
  Scoring scoring{toy_llama(), toy_texts(3, 3, 5), toy_texts(1, 3, 3, 2)};
  scoring.parts.per_token = true;
  EXPECT_THAT(error_of([&] { scoring("random"); }), Refusal(ErrorKind::Usage, "--per-token"));
}

TEST(ExactLabels, AreRefusedForTexts) {
  const Scoring scoring{toy_llama(), toy_texts(3, 3, 5), toy_texts(1, 3, 3, 2)};
  EXPECT_THAT(error_of([&] { scoring("ekfac(labels=exact)"); }), Refusal(ErrorKind::Usage, "use labels=sampled"));
}

}  // namespace
}  // namespace assay::attribute
