// What the factors are: identities of section 7 of the EK-FAC sheet, each against an explicit matrix, each with its
// twin.
#include "assay/curvature/curvature.h"

#include <ATen/Context.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/kron.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "assay/core/twin.h"
#include "assay/curvature/covariance.h"
#include "assay/curvature/fit_passes.h"
#include "assay/curvature/gauss_newton.h"
#include "assay/curvature/identity.h"
#include "tests/curvature/fitting.h"
#include "tests/support/errors.h"

namespace assay::curvature {
namespace {

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
  const auto are_one = [&](const char* one, const char* other) {  // the same tensor, decomposed and kept once
    const auto bases = fit.bases();
    const auto input_of = [&](const char* name) {
      return bases.at(fit.model.architecture().match_layers(name)[0]).input.vectors;
    };
    return input_of(one).const_data_ptr() == input_of(other).const_data_ptr();
  };
  const auto each = [&] {
    fit.workspace = Workspace();
    return std::pair{are_one("blocks.0.attn.q", "blocks.0.attn.v"), are_one("blocks.0.mlp.gate", "blocks.0.mlp.up")};
  };
  EXPECT_EQ(each(), std::pair(true, true));
  const ScopedTwin twin("curvature.inputs_apart");
  EXPECT_EQ(each(), std::pair(false, false));
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
  const ScopedTwin twin("curvature.eigenvectors_as_rows");
  Fit again{fit.model, fit.dataset, Labels::Exact};  // the first has kept its bases
  EXPECT_GT(difference(again.kfac()), 1e-3);
  EXPECT_GT(difference(again.ekfac()), 1e-3);
}

// Products of bf16 round the gradient, and what the first rotation leaves, each number by at most 2^-9 of itself: on
// the way in and on the way out some 2^-9·sqrt(4) of the whole.
TEST(FactoredCurvature, SolvesWithRotationsOfBf16) {
  at::manual_seed(11);
  const auto rotation = [](int64_t size) {
    return std::get<0>(at::linalg_qr(at::randn({size, size}, at::kDouble))).to(at::kBFloat16);
  };
  const at::Tensor left = rotation(40), right = rotation(70), eigenvalues = at::rand({40, 70}).add(0.5);
  const at::Tensor v = at::randn({3, 40, 70});
  const auto of = [&](at::ScalarType rotations, at::ScalarType dtype) {
    const FactoredCurvature curvature("ekfac", {{0, {left.to(rotations), right.to(rotations), eigenvalues.to(dtype)}}});
    return curvature.solve(v.to(dtype), 0, Damping::absolute(0.1)).to(at::kDouble);
  };
  const at::Tensor expected = of(at::kDouble, at::kDouble);
  const auto error = [&] {
    return of(at::kBFloat16, at::kFloat).sub(expected).norm().item<double>() / expected.norm().item<double>();
  };
  EXPECT_LT(error(), 4.0 / 512);
  EXPECT_GT(error(), 1e-4);  // it is bf16 that multiplies
  const ScopedTwin twin("curvature.bf16_rotation_turned");
  EXPECT_GT(error(), 0.3);
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

// tr(A) tr(S) positions/examples of a layer: squares of what goes into it and of what comes back, added up one example
// at a time. No covariance, no eigenvalue, no padding.
double product_of_traces(const nn::Model& model, const data::Dataset& dataset, nn::LayerId layer) {
  double inputs = 0, outputs = 0, positions = 0;
  for (int64_t row = 0; row < dataset.size(); ++row) {
    const data::Batch batch = data::make_batch(dataset, std::span(&row, 1), model.dtype());
    nn::stream_gradients(model, batch, nn::loss(), std::span(&layer, 1), [&](const nn::FactoredGradient& gradient) {
      const auto here = static_cast<double>(gradient.input.size(1));
      inputs += gradient.input.square().sum().item<double>() + (gradient.has_bias ? here : 0);
      outputs += gradient.output_gradient.square().sum().item<double>();
      positions += here;
    });
  }
  return inputs / positions * (outputs / positions) * (positions / static_cast<double>(dataset.size()));
}

// The worst layer's relative distance of the sum of K-FAC's eigenvalues from it.
double gap_from_traces(const nn::Model& model, const data::Dataset& dataset) {
  Fit fit{model, dataset, Labels::Empirical};
  const auto kfac = fit.kfac();
  double worst = 0;
  for (const nn::LayerId layer : all_layers(model)) {
    const double sum = kfac->eigenvalues(layer).sum().item<double>();
    worst = std::max(worst, std::abs(sum / product_of_traces(model, dataset, layer) - 1));
  }
  return worst;
}

// Check 3, second half: Σ s_o a_m = tr(S) tr(A), with a bias and one position an example, and with texts of many.
TEST(Kfac, EigenvaluesSumToTheProductOfTraces) {
  const ToyMlp shape;
  const nn::Model mlp = toy_mlp(shape), llama = toy_llama();
  const data::Dataset arrays = toy_arrays(30, shape), texts = toy_texts(10, 2, 9);
  EXPECT_LT(gap_from_traces(mlp, arrays), kRounding);
  EXPECT_LT(gap_from_traces(llama, texts), kRounding);
  {
    // Of the first layer's five inputs, all of variance about one, the least is lost with several percent of tr(A).
    const ScopedTwin twin("curvature.smallest_eigenvalue_lost");
    EXPECT_GT(gap_from_traces(mlp, arrays), 1e-3);
  }
  const ScopedTwin twin("curvature.kfac_of_one_position");
  EXPECT_GT(gap_from_traces(llama, texts), 0.1);
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
    const at::Tensor expected = flat.t().matmul(flat).div(12);
    EXPECT_LT(largest_difference(gauss_newton->matrix(layer), expected), kRounding);
    {
      const ScopedTwin twin("curvature.exact_weight_without_root");
      EXPECT_GT(largest_difference(fit_gauss_newton(fit.request())->matrix(layer), expected), 1e-3);
    }
    const at::Tensor v = flat.view({12, -1, layer == 0 ? 4 : 5});
    const at::Tensor back = gauss_newton->apply(v, layer, [](const at::Tensor& values) { return values; });
    EXPECT_LT(largest_difference(back.flatten(1), flat.matmul(gauss_newton->matrix(layer))), kRounding);
  }
}

// (P + 0.2)⁻¹ (P + 0.2) V against V.
double distance_of_solve_from_inverse(const Curvature& curvature, const at::Tensor& v, nn::LayerId layer) {
  const at::Tensor applied = curvature.apply(v, layer, [](const at::Tensor& values) { return values.add(0.2); });
  return largest_difference(curvature.solve(applied, layer, Damping::absolute(0.2)), v);
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
      EXPECT_LT(distance_of_solve_from_inverse(*curvature, v, layer), 1e-10) << curvature->name();
      {
        const ScopedTwin twin("curvature.applied_not_inverted");
        EXPECT_GT(distance_of_solve_from_inverse(*curvature, v, layer), 1e-2 * v.abs().max().item<double>())
            << curvature->name();
      }
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
    const auto relative_error = [&] {
      return largest_difference(ekfac->inverse_norm(gradient, damping), expected) / expected.max().item<double>();
    };
    EXPECT_LT(relative_error(), 1e-9);
    const ScopedTwin twin("curvature.solved_on_both_sides");
    EXPECT_GT(relative_error(), 1e-2);
  });
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
