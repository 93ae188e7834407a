// What the factors are: identities of section 7 of the EK-FAC sheet, each against an explicit matrix, each with its
// twin.
#include "assay/curvature/curvature.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/curvature/covariance.h"
#include "assay/curvature/fit_passes.h"
#include "assay/curvature/gauss_newton.h"
#include "assay/curvature/identity.h"
#include "assay/curvature/spectrum.h"
#include "assay/nn/gradients.h"
#include "tests/support/errors.h"
#include "tests/support/toy.h"

namespace assay::curvature {
namespace {

// D_i of every example, [N,O,M], one single backward pass each: nothing of batching or masking in it.
at::Tensor gradients_one_by_one(const nn::Model& model, const data::Dataset& dataset,
                                const nn::Measurement& measurement, nn::LayerId layer) {
  std::vector<at::Tensor> all;
  for (int64_t row = 0; row < dataset.size(); ++row) {
    const data::Batch batch = data::make_batch(dataset, std::span(&row, 1), model.dtype());
    nn::stream_gradients(model, batch, measurement, std::span(&layer, 1),
                         [&](const nn::FactoredGradient& gradient) { all.push_back(gradient.dense()); });
  }
  return at::cat(all);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

// Sums in float64 over a few hundred terms of size 1: 1e-12 leaves three digits to spare.
constexpr double kRounding = 1e-12;

struct Fit {
  nn::Model model;
  data::Dataset dataset;
  Labels labels = Labels::Sampled;
  uint64_t seed = 5;
  int64_t batch = 7;
  Batches batches = batches_of(dataset, batch);
  Workspace workspace = {};

  FitRequest request() const {
    return {.model = model,
            .dataset = dataset,
            .batches = batches,
            .layers = all_layers(model),
            .labels = labels,
            .seed = seed};
  }
  std::map<nn::LayerId, LayerBasis> bases() { return fit_bases(request(), workspace, silent_progress()); }
  std::shared_ptr<const Curvature> ekfac() { return fit_ekfac(request(), workspace, silent_progress()).curvature; }
  std::shared_ptr<const Curvature> kfac() { return fit_kfac(request(), workspace, silent_progress()).curvature; }
};

// A = Q diag(a) Qᵀ again.
at::Tensor matrix_of(const Eigen& eigen) {
  return eigen.vectors.mul(eigen.values).matmul(eigen.vectors.t());
}

TEST(Covariances, AreAveragesOverUnmaskedPositions) {
  const nn::Model model = toy_llama();
  Fit fit{model, toy_texts(9, 2, 13), Labels::Empirical};
  const nn::LayerId layer = model.architecture().match_layers("blocks.1.mlp.down")[0];
  at::Tensor a, s;
  double positions = 0;
  for (int64_t row = 0; row < fit.dataset.size(); ++row) {  // one text a batch: no padding anywhere
    const data::Batch batch = data::make_batch(fit.dataset, std::span(&row, 1), at::kDouble);
    nn::stream_gradients(model, batch, nn::loss(), std::span(&layer, 1), [&](const nn::FactoredGradient& gradient) {
      const at::Tensor x = gradient.input.flatten(0, 1), g = gradient.output_gradient.flatten(0, 1);
      a = a.defined() ? a.add(x.t().matmul(x)) : x.t().matmul(x);
      s = s.defined() ? s.add(g.t().matmul(g)) : g.t().matmul(g);
      positions += static_cast<double>(x.size(0));
    });
  }
  const auto differs = [&] {
    Fit again{model, fit.dataset, Labels::Empirical};
    const LayerBasis basis = again.bases().at(layer);
    return std::max(largest_difference(matrix_of(basis.input), a.div(positions)),
                    largest_difference(matrix_of(basis.output), s.div(positions)));
  };
  EXPECT_LT(differs(), kRounding);
  {
    const ScopedTwin twin("curvature.covariance_of_one_batch");
    EXPECT_GT(differs(), 1e-3);
  }
}

TEST(Covariances, PaddingLeavesABiasedLayerAlone) {
  // The appended 1 of the bias is what unmasked padding would count first. An mlp has no padding, so it is put by hand.
  const ToyMlp shape{.features = 3, .hidden = {4}, .outputs = 2};
  const nn::Model model = toy_mlp(shape);
  const nn::LayerId layer = 0;
  nn::FactoredGradient gradient{
      .layer = layer,
      .input = at::eye(3, at::kDouble).unsqueeze(0),
      .output_gradient = at::eye(4, at::kDouble).narrow(0, 0, 3).unsqueeze(0).clone(),
      .mask = at::eye(3, at::kBool).narrow(0, 0, 1).logical_or(at::eye(3, at::kBool).narrow(0, 1, 1)),
      .has_bias = true};
  gradient.output_gradient.select(1, 2).zero_();  // the third position is padding
  nn::FactoredGradient cut = gradient;
  cut.input = gradient.input.narrow(1, 0, 2);
  cut.output_gradient = gradient.output_gradient.narrow(1, 0, 2);
  cut.mask = at::Tensor();
  const auto difference = [&] {
    Covariances padded(model.architecture(), std::span(&layer, 1), at::kDouble),
        bare(model.architecture(), std::span(&layer, 1), at::kDouble);
    padded.add(gradient);
    bare.add(cut);
    return largest_difference(padded.finish(layer).input, bare.finish(layer).input) +
           std::abs(padded.finish(layer).positions - 2);
  };
  EXPECT_EQ(difference(), 0);
  const ScopedTwin twin("curvature.padding_unmasked");
  EXPECT_GT(difference(), 0.1);
}

TEST(Covariances, RefuseALayerThatNeverRan) {
  const nn::Model model = toy_mlp({});
  const auto layers = all_layers(model);
  const Covariances sums(model.architecture(), layers, at::kDouble);
  EXPECT_THAT(error_of([&] { sums.finish(1); }), Refusal(ErrorKind::Model, "\"layers.1\" never did"));
}

TEST(Covariances, OfLayersThatShareAnInputAreOne) {
  Fit fit{toy_llama(), toy_texts(6, 4, 9)};
  const auto bases = fit.bases();
  const auto layer = [&](const char* name) { return fit.model.architecture().match_layers(name)[0]; };
  EXPECT_TRUE(bases.at(layer("blocks.0.attn.q")).input.vectors.equal(bases.at(layer("blocks.0.attn.v")).input.vectors));
  EXPECT_TRUE(
      bases.at(layer("blocks.0.mlp.gate")).input.vectors.equal(bases.at(layer("blocks.0.mlp.up")).input.vectors));
}

// Check 1: squared loss has S = I and P = I ⊗ A under exact labels, whatever the weights.
TEST(Kfac, OfLinearRegressionIsTheInputCovariance) {
  const ToyMlp shape{.features = 4, .hidden = {}, .outputs = 3, .task = "regression"};
  Fit fit{toy_mlp(shape), toy_arrays(40, shape), Labels::Exact};
  const LayerBasis basis = fit.bases().at(0);
  EXPECT_LT(largest_difference(matrix_of(basis.output), at::eye(3, at::kDouble)), kRounding);
  const at::Tensor v = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), 0);
  const at::Tensor damped = matrix_of(basis.input).add(at::eye(5, at::kDouble), 0.3);
  const at::Tensor expected = at::linalg_solve(damped, v.transpose(1, 2)).transpose(1, 2);
  const auto difference = [&](const std::shared_ptr<const Curvature>& curvature) {
    return largest_difference(curvature->solve(v, 0, Damping::absolute(0.3)), expected);
  };
  EXPECT_LT(difference(fit.kfac()), 1e-10);
  // Each D_i of an exact pass k is e_k x_iᵀ, so EK-FAC measures the same eigenvalues.
  EXPECT_LT(difference(fit.ekfac()), 1e-10);
}

// Check 3, first half: rotations keep the sum of squares.
TEST(Ekfac, EigenvaluesSumToTheMeanSquaredGradient) {
  Fit fit{toy_llama(), toy_texts(10, 2, 9), Labels::Empirical};
  const nn::LayerId layer = fit.model.architecture().match_layers("blocks.0.attn.o")[0];
  const at::Tensor one_by_one = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), layer);
  const double expected = one_by_one.square().sum().item<double>() / static_cast<double>(fit.dataset.size());
  const auto relative_error = [&] {
    Fit again{fit.model, fit.dataset, Labels::Empirical};
    return std::abs(again.ekfac()->eigenvalues(layer).sum().item<double>() / expected - 1);
  };
  EXPECT_LT(relative_error(), kRounding);
  const ScopedTwin twin("curvature.positions_for_examples");
  EXPECT_GT(relative_error(), 0.1);
}

// The rotated input is kept for the layers that share it; with one layer the next batch comes straight after.
TEST(Ekfac, RotatesTheInputOfEveryBatch) {
  const ToyMlp shape{.features = 4, .hidden = {}, .outputs = 3};
  const Fit fit{toy_mlp(shape), toy_arrays(20, shape), Labels::Empirical};
  const at::Tensor one_by_one = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), 0);
  const double expected = one_by_one.square().sum().item<double>() / 20;
  const auto relative_error = [&] {
    Fit batches_of_five{fit.model, fit.dataset, Labels::Empirical, 5, 5};
    return std::abs(batches_of_five.ekfac()->eigenvalues(0).sum().item<double>() / expected - 1);
  };
  EXPECT_LT(relative_error(), kRounding);
  const ScopedTwin twin("curvature.rotated_input_of_another_batch");
  EXPECT_GT(relative_error(), 0.01);
}

// Check 3, second half.
TEST(Kfac, EigenvaluesSumToTheProductOfTraces) {
  const ToyMlp shape;
  Fit fit{toy_mlp(shape), toy_arrays(30, shape)};
  for (const auto& [layer, basis] : fit.bases()) {
    const double traces = basis.output.values.sum().item<double>() * basis.input.values.sum().item<double>();
    EXPECT_NEAR(fit.kfac()->eigenvalues(layer).sum().item<double>(), traces,
                kRounding * traces);  // one position an example
  }
}

// Under independent positions K-FAC in units of an example stands beside EK-FAC; in units of a position it is T times
// less.
TEST(Kfac, OfTextsHasTheSizeOfEkfac) {
  Fit fit{toy_llama(), toy_texts(40, 17, 17)};
  const auto ratio = [&] {
    double kfac = 0, ekfac = 0;
    for (const nn::LayerId layer : all_layers(fit.model)) {
      kfac += fit.kfac()->mean_eigenvalue(layer);
      ekfac += fit.ekfac()->mean_eigenvalue(layer);
    }
    return kfac / ekfac;
  };
  EXPECT_GT(ratio(), 0.3);
  EXPECT_LT(ratio(), 3);
  const ScopedTwin twin("curvature.kfac_of_one_position");
  EXPECT_LT(ratio(), 0.3);
}

// Check 4: F explicit, from the same samples (T = 1). A solve comes first: it must leave Λ as it was measured.
TEST(Ekfac, IsNearerToTheFisherMatrixThanKfac) {
  const ToyMlp shape;
  Fit fit{toy_mlp(shape), toy_arrays(50, shape), Labels::Empirical};
  const auto bases = fit.bases();
  const auto distances = [&](nn::LayerId layer) {  // of EK-FAC and of K-FAC from F
    const LayerBasis& basis = bases.at(layer);
    const at::Tensor gradients = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), layer);
    const at::Tensor fisher = gradients.flatten(1).t().matmul(gradients.flatten(1)).div(50);
    const at::Tensor q = at::kron(basis.output.vectors, basis.input.vectors);
    const auto ekfac = fit.ekfac();
    ekfac->solve(gradients, layer, Damping::relative(100));
    const at::Tensor near = q.mul(ekfac->eigenvalues(layer).flatten()).matmul(q.t());
    const at::Tensor far = at::kron(matrix_of(basis.output), matrix_of(basis.input));
    return std::pair{fisher.sub(near).norm().item<double>(), fisher.sub(far).norm().item<double>()};
  };
  for (const nn::LayerId layer : all_layers(fit.model)) {
    const auto [ekfac, kfac] = distances(layer);
    EXPECT_LE(ekfac, kfac);
    EXPECT_GT(ekfac, 0);
  }
  const ScopedTwin twin("curvature.damping_added_in_place");
  for (const nn::LayerId layer : all_layers(fit.model)) {
    const auto [ekfac, kfac] = distances(layer);
    EXPECT_GT(ekfac, kfac);
  }
}

TEST(GaussNewton, WithExactLabelsIsTheMeanOfWeightedOuterProducts) {
  const ToyMlp shape{.features = 3, .hidden = {4}, .outputs = 2};
  Fit fit{toy_mlp(shape), toy_arrays(12, shape), Labels::Exact};
  const auto gauss_newton = fit_gauss_newton(fit.request());
  // Two classes: G = Σ p(1-p) ∇(z_1 - z_0) ∇(z_1 - z_0)ᵀ.
  const nn::Measurement logit_difference{.name = "",
                                         .unit = "",
                                         .meaning = "",
                                         .less_is_better = false,
                                         .evaluate = [](const nn::Output& output, const data::Batch&) {
                                           const at::Tensor z = output.logits();
                                           const at::Tensor difference = z.select(-1, 1).sub(z.select(-1, 0));
                                           const at::Tensor p = difference.detach().sigmoid();
                                           return p.mul(p.neg().add(1)).sqrt().mul(difference).sum(1);
                                         }};
  for (const nn::LayerId layer : all_layers(fit.model)) {
    const at::Tensor flat = gradients_one_by_one(fit.model, fit.dataset, logit_difference, layer).flatten(1);
    EXPECT_LT(largest_difference(gauss_newton->matrix(layer), flat.t().matmul(flat).div(12)), kRounding);
    const at::Tensor v = flat.view({12, -1, layer == 0 ? 4 : 5});
    const at::Tensor back = gauss_newton->apply(v, layer, [](const at::Tensor& values) { return values; });
    EXPECT_LT(largest_difference(back.flatten(1), flat.matmul(gauss_newton->matrix(layer))), kRounding);
  }
}

TEST(EveryCurvature, SolvesWhatItApplies) {
  const ToyMlp shape;
  Fit fit{toy_mlp(shape), toy_arrays(30, shape)};
  const auto layers = all_layers(fit.model);
  const std::vector<std::shared_ptr<const Curvature>> all{
      std::make_shared<FactoredCurvature>(identity(fit.model.architecture(), layers)),
      fit_diagonal(fit.request(), fit.workspace, silent_progress()).curvature, fit.kfac(), fit.ekfac(),
      fit_gauss_newton(fit.request())};
  for (const auto& curvature : all) {
    for (const nn::LayerId layer : layers) {
      const at::Tensor v = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), layer);
      const at::Tensor applied = curvature->apply(v, layer, [](const at::Tensor& values) { return values.add(0.2); });
      EXPECT_LT(largest_difference(curvature->solve(applied, layer, Damping::absolute(0.2)), v), 1e-10)
          << curvature->name();
      // ⟨e, P e⟩ over the standard basis is the diagonal.
      const at::Tensor axes = at::eye(v[0].numel(), at::kDouble).view({-1, v.size(1), v.size(2)});
      const at::Tensor images = curvature->apply(axes, layer, [](const at::Tensor& values) { return values; });
      EXPECT_LT(largest_difference(images.mul(axes).sum({1, 2}), curvature->diagonal(layer).flatten()), 1e-10);
      EXPECT_EQ(curvature->solve(v, layer, Damping::relative(0.1)).sizes(), v.sizes());
    }
    EXPECT_TRUE(curvature->covers(layers[0]));
    EXPECT_FALSE(curvature->covers(99));
  }
}

TEST(EveryCurvature, MeasuresAGradientsOwnNormByItsInverse) {
  Fit fit{toy_llama(), toy_texts(5, 3, 8)};
  const auto ekfac = fit.ekfac();
  const auto layers = all_layers(fit.model);
  const data::Batch batch = data::make_batch(fit.dataset, std::vector<int64_t>{0, 1, 2, 3, 4}, at::kDouble);
  nn::stream_gradients(fit.model, batch, nn::loss(), layers, [&](const nn::FactoredGradient& gradient) {
    const Damping damping = Damping::relative(0.1);
    const at::Tensor solved = ekfac->solve(gradient.dense(), gradient.layer, damping);
    const at::Tensor expected = solved.mul(gradient.dense()).sum({1, 2});
    EXPECT_LT(largest_difference(ekfac->inverse_norm(gradient, damping), expected),
              1e-9 * expected.max().item<double>());
  });
}

TEST(Damping, IsTheSameInTwoConsecutiveCalls) {
  const ToyMlp shape;
  Fit fit{toy_mlp(shape), toy_arrays(30, shape)};
  const at::Tensor v = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), 0);
  const auto drift = [&] {
    const auto ekfac = fit.ekfac();
    const at::Tensor first = ekfac->solve(v, 0, Damping::relative(0.1));
    return largest_difference(first, ekfac->solve(v, 0, Damping::relative(0.1)));
  };
  EXPECT_EQ(drift(), 0);
  const ScopedTwin twin("curvature.damping_added_in_place");
  EXPECT_GT(drift(), 1e-3);
}

TEST(Damping, FollowsTheScaleOfEachLayer) {
  const ToyMlp shape{.features = 4, .hidden = {6}, .outputs = 3};
  nn::Model model = toy_mlp(shape);
  model.parameters()[2].mul_(0.01);  // the second layer's weights: gradients of the first shrink by as much
  Fit fit{model, toy_arrays(30, shape)};
  const auto mean_share = [&](nn::LayerId layer) {  // what 0.1 times the mean eigenvalue leaves of a mean direction
    const auto ekfac = fit.ekfac();
    const at::Tensor ones = at::eye(1, at::kDouble).expand(ekfac->eigenvalues(layer).sizes());
    const double added = 0.1 * ekfac->eigenvalues(layer).mean().item<double>();
    const at::Tensor expected =
        ekfac->apply(ones, layer, [&](const at::Tensor& values) { return values.add(added).reciprocal(); });
    return largest_difference(ekfac->solve(ones, layer, Damping::relative(0.1)), expected) /
           expected.abs().max().item<double>();
  };
  EXPECT_GT(fit.ekfac()->mean_eigenvalue(1), 100 * fit.ekfac()->mean_eigenvalue(0));  // very different scales
  EXPECT_LT(mean_share(0), kRounding);
  EXPECT_LT(mean_share(1), kRounding);
  const ScopedTwin twin("curvature.damping_of_the_first_layer");
  EXPECT_GT(mean_share(1), 1e-2);
}

TEST(Damping, OfZeroLeavesOutDirectionsWithoutCurvature) {
  const ToyMlp shape{.features = 4, .hidden = {6}, .outputs = 3};
  Fit fit{toy_mlp(shape), toy_arrays(1, shape), Labels::Empirical};  // one example: A has rank 1
  const auto ekfac = fit.ekfac();
  const at::Tensor v = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), 0);
  EXPECT_TRUE(ekfac->solve(v, 0, Damping::none()).isfinite().all().item<bool>());
}

// One layer, eigenvalues known as multiples of the damping.
TEST(Spectrum, CountsDirectionsBesideTheDamping) {
  const at::Tensor values = at::tensor({1e-9, 0.0, 0.5, 1.0, 2.0, 1e9}, at::kDouble).view({2, 3});
  std::map<nn::LayerId, FactoredBlock> blocks;
  blocks[0].eigenvalues = values;
  const FactoredCurvature curvature("diagonal", blocks);
  const auto spectrum = spectrum_of(curvature, Damping::absolute(1));
  ASSERT_TRUE(spectrum);
  EXPECT_EQ(spectrum->total, 6);
  EXPECT_EQ(spectrum->without_curvature, 1);
  EXPECT_EQ(spectrum->below_damping, 3);
  std::array<int64_t, Spectrum::kBins> expected{};
  expected.front() = 1;  // 1e-9 lies beyond the first bin and is counted there
  expected[11] = 1;      // log10(0.5) = -0.30
  expected[12] = 2;      // log10(1) = 0 and log10(2) = 0.30
  expected.back() = 1;
  EXPECT_EQ(spectrum->directions, expected);
  EXPECT_FALSE(spectrum_of(curvature, Damping::none()));
  const ScopedTwin twin("curvature.spectrum_upside_down");
  EXPECT_NE(spectrum_of(curvature, Damping::absolute(1))->directions, expected);
}

// A hidden layer that runs twice: its gradient is the sum over both calls, squared after summing.
TEST(Ekfac, SumsTheCallsOfASharedLayerBeforeSquaring) {
  const ToyMlp shape{.features = 4, .hidden = {6, 6}, .outputs = 3, .repeats = 2};
  Fit fit{toy_mlp(shape), toy_arrays(20, shape), Labels::Empirical};
  const nn::LayerId shared = 1;
  const at::Tensor one_by_one = gradients_one_by_one(fit.model, fit.dataset, nn::loss(), shared);
  const at::Tensor expected = one_by_one.square().mean({0});
  const auto difference = [&] {
    Workspace workspace;
    const auto diagonal = fit_diagonal(fit.request(), workspace, silent_progress()).curvature;
    return largest_difference(diagonal->diagonal(shared), expected);
  };
  EXPECT_LT(difference(), kRounding);
  {
    const ScopedTwin twin("curvature.shared_weight_counted_once");
    EXPECT_GT(difference(), 1e-4);
  }
  const ScopedTwin twin("curvature.positions_for_examples");
  EXPECT_GT(difference(), 1e-4);
}

}  // namespace
}  // namespace assay::curvature
